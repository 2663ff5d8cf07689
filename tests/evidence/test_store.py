"""The sample store: what names a sample, what survives a kill, what two writers do to each other."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from evidence.interfaces import GenerationFailed
from evidence.samples.identity import canonical, key_of, pixel_digest
from evidence.samples.store import SampleDamaged, Store, png_bytes, without_secrets

ROOT = Path(__file__).resolve().parents[2]
IDENTITY = {"prompt": "a cat", "seed": 7, "settings": {"steps": 4, "guidance": 3.5}}
KEY = key_of("generate", IDENTITY)


def gradient(shade: int = 0) -> Image.Image:
    return Image.merge("RGB", [Image.linear_gradient("L").resize((32, 32)).point(lambda v: (v + shade) % 256)] * 3)


def test_a_key_does_not_depend_on_the_order_of_what_determines_it() -> None:
    turned = {"settings": {"guidance": 3.5, "steps": 4}, "seed": 7, "prompt": "a cat"}
    assert key_of("generate", turned) == KEY == key_of("generate", json.loads(canonical(IDENTITY)))


@pytest.mark.parametrize("change", [{"seed": 8}, {"prompt": "A cat"}, {"settings": {"steps": 5, "guidance": 3.5}}])
def test_whatever_determines_a_sample_changes_its_key(change: dict[str, object]) -> None:
    assert key_of("generate", IDENTITY | change) != KEY != key_of("score", IDENTITY)


def test_a_number_that_is_none_names_nothing() -> None:
    with pytest.raises(ValueError):
        key_of("score", {"score": float("nan")})


def test_a_picture_comes_back_pixel_by_pixel(tmp_path: Path) -> None:
    store = Store(tmp_path)
    record = store.put_picture(KEY, IDENTITY, gradient(), {"device": "cpu"})
    assert store.picture(KEY).tobytes() == gradient().tobytes()
    assert store.get(KEY) == record and record.result["pixels"] == pixel_digest(gradient())
    assert [r.key for r in store.records()] == [KEY]


def test_a_picture_that_was_altered_is_not_evidence(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put_picture(KEY, IDENTITY, gradient(), {})
    store.png_path(KEY).write_bytes(png_bytes(gradient(9)))
    with pytest.raises(SampleDamaged, match="altered"):
        store.picture(KEY)


@pytest.mark.parametrize("damage", ["", "{", '{"key": "other"}', "[]", "null", "[" * 99999])
def test_a_damaged_record_is_a_missing_one(tmp_path: Path, damage: str) -> None:
    """It is made again, rather than stopping the run or being believed."""
    store = Store(tmp_path)
    store.put(KEY, "score", IDENTITY, {"score": 1.0}, {})
    store.json_path(KEY).write_text(damage)
    assert store.get(KEY) is None and store.status(KEY) is None and list(store.records()) == []
    assert [line for line in store.damaged if str(store.json_path(KEY)) in line]


def test_the_status_of_a_record_is_read_without_the_rest(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.status(KEY) is None
    store.put(KEY, "score", IDENTITY, {"score": 1.0, "truncated": False}, {})
    assert store.status(KEY) == "done"
    store.fail(KEY, "score", IDENTITY, RuntimeError('"status": "done"'), {})
    assert store.status(KEY) == "failed"


def test_a_record_without_its_picture_is_a_missing_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put_picture(KEY, IDENTITY, gradient(), {})
    store.png_path(KEY).unlink()
    assert store.get(KEY) is None


def test_a_failure_is_a_record_with_its_error_and_no_picture(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.fail(KEY, "generate", IDENTITY, GenerationFailed("quota", retryable=True), {"attempts": 5})
    record = store.get(KEY)
    assert record is not None and record.retryable and record.made["attempts"] == 5
    assert record.result == {"error": "GenerationFailed", "reason": "quota", "retryable": True}
    with pytest.raises(KeyError):
        store.picture(KEY)


def test_a_key_in_an_error_never_reaches_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-very-secret-0123456789")
    store = Store(tmp_path)
    store.fail(KEY, "generate", IDENTITY, RuntimeError("refused sk-very-secret-0123456789 twice"), {})
    text = "".join(path.read_text() for path in tmp_path.rglob("*.json"))
    assert "sk-very" not in text and "[SOME_API_KEY]" in text
    assert without_secrets("nothing to hide") == "nothing to hide"


WRITER = """
import sys
from pathlib import Path
from PIL import Image
from evidence.samples.identity import key_of
from evidence.samples.store import Store
store, first, last = Store(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])
ramp = Image.linear_gradient("L")
print("ready", flush=True)
for n in range(first, last):
    identity = {"n": n}
    key = key_of("generate", identity)
    if store.get(key) is None:
        store.put_picture(key, identity, ramp.rotate(n), {"by": sys.argv[4]})
"""


def writer(store: Path, first: int, last: int, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(store), str(first), str(last), name]
    made = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert made.stdout is not None and made.stdout.readline() == "ready\n"
    return made


def verify(store: Store) -> int:
    """Every record there is whole; returns how many."""
    records = list(store.records())
    for record in records:
        assert pixel_digest(store.picture(record.key)) == record.result["pixels"]
        assert record.key == key_of("generate", record.identity)
    written = {path.stem for path in store.root.glob("??/*.json")}
    assert written == {record.key for record in records}, "a half-written record"
    return len(records)


def test_a_kill_at_any_moment_loses_at_most_the_picture_in_flight(tmp_path: Path) -> None:
    """Real processes, killed with SIGKILL at random moments; what they had written stays whole, and work goes on."""
    moments, store, before = random.Random(7), Store(tmp_path), 0
    for _ in range(6):
        process = writer(tmp_path, 0, 10_000, "worker")
        time.sleep(moments.uniform(0.02, 0.35))
        process.send_signal(signal.SIGKILL)
        process.wait()
        pictures = {path.stem for path in tmp_path.glob("??/*.png")}
        finished = verify(store)
        assert finished >= before and len(pictures) - finished <= 1, "more than one picture was lost"
        before = finished
    assert before > 3
    store.sweep(older=-1)
    assert not list(tmp_path.glob("??/.draft-*")), "a killed worker's draft stays behind"


def test_two_workers_on_the_same_samples_do_not_corrupt_each_other(tmp_path: Path) -> None:
    workers = [writer(tmp_path, 0, 120, name) for name in ("one", "two")]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert verify(Store(tmp_path)) == 120


def test_sweeping_spares_the_draft_of_a_worker_that_lives(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(KEY, "score", IDENTITY, {"score": 1.0}, {})
    draft = store.json_path(KEY).with_name(".draft-aa.part")
    draft.write_text("half")
    assert store.sweep() == 0 and draft.exists()
