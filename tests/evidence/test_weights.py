"""Where weights come from: pinned at the first meeting with the hub, verified ever after."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest

from evidence import weights
from evidence.weights import Unavailable, WeightsChanged, fetch, pinned
from tests.evidence.tiny.hub import Hub, commit_of

NAME = "someone/pictures"
ADDRESS = f"hf-hub:{NAME}"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "vae").mkdir(parents=True)
    (folder / "model_index.json").write_text("{}")
    (folder / "vae" / "weights.safetensors").write_bytes(b"first")
    (folder / "vae" / "weights.bin").write_bytes(b"not asked for")
    return folder


@pytest.fixture
def hub(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with Hub({NAME: repository}) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "models.lock.json"


FILES = ("model_index.json", "vae/*.safetensors")


def test_the_first_run_pins_commit_and_files(hub: Hub, lock: Path) -> None:
    assert pinned(ADDRESS, lock) == "unpinned"
    got = fetch(ADDRESS, FILES, lock=lock)
    assert got.revision == commit_of(NAME) == pinned(ADDRESS, lock)
    assert (got.path / "vae/weights.safetensors").read_bytes() == b"first"
    assert sorted(json.loads(lock.read_text())[NAME]["files"]) == ["model_index.json", "vae/weights.safetensors"]
    assert not (got.path / "vae/weights.bin").exists(), "only what the card names is fetched"


def test_later_runs_ask_for_the_pinned_commit_though_the_hub_moved_on(hub: Hub, lock: Path, repository: Path) -> None:
    fetch(ADDRESS, FILES, lock=lock)
    before = lock.read_text()
    hub.versions[NAME] = 2
    (repository / "vae" / "weights.safetensors").write_bytes(b"second")
    assert fetch(ADDRESS, FILES, lock=lock).revision == commit_of(NAME, 1)
    assert lock.read_text() == before


def test_a_file_that_is_not_the_pinned_one_is_refused(hub: Hub, lock: Path) -> None:
    got = fetch(ADDRESS, FILES, lock=lock)
    (got.path / "vae/weights.safetensors").resolve().write_bytes(b"other")
    with pytest.raises(WeightsChanged, match=r"vae/weights\.safetensors"):
        fetch(ADDRESS, FILES, lock=lock)


def test_a_hub_that_serves_other_bytes_than_it_announces_is_refused(
    hub: Hub, lock: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced = weights._ask_hub(weights.address(ADDRESS))
    (repository / "vae/weights.safetensors").write_bytes(b"swapped")
    monkeypatch.setattr(weights, "_ask_hub", lambda where: announced)
    with pytest.raises(WeightsChanged):
        fetch(ADDRESS, FILES, lock=lock)
    assert not lock.exists()


def test_pinned_weights_need_no_network(hub: Hub, lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch(ADDRESS, FILES, lock=lock)
    hub.folders.clear()
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert fetch(ADDRESS, FILES, lock=lock).revision == commit_of(NAME)


def test_a_file_used_later_joins_the_lock(hub: Hub, lock: Path) -> None:
    fetch(ADDRESS, FILES, lock=lock)
    got = fetch(f"{ADDRESS}:vae/weights.bin", lock=lock)
    assert got.path.read_bytes() == b"not asked for"
    assert len(json.loads(lock.read_text())[NAME]["files"]) == 3


def test_another_commit_than_the_pinned_one_is_refused(hub: Hub, lock: Path) -> None:
    fetch(ADDRESS, FILES, lock=lock)
    with pytest.raises(WeightsChanged, match="another commit"):
        fetch(f"{ADDRESS}@{'0' * 40}", FILES, lock=lock)


def test_a_gated_repository_says_where_to_accept_its_licence(hub: Hub, lock: Path) -> None:
    hub.gated.add(NAME)
    with pytest.raises(Unavailable, match="accept its licence at") as caught:
        fetch(ADDRESS, FILES, lock=lock)
    assert "hf auth login" in caught.value.mend


@pytest.mark.parametrize("trouble", ["gated", "absent", "unreachable"])
def test_no_error_shows_the_token_of_the_hub(
    trouble: str, hub: Hub, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_aVerySecretTokenOfSomeone")
    if trouble == "gated":
        hub.gated.add(NAME)
    elif trouble == "absent":
        hub.folders.clear()
    else:
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(Unavailable) as caught:
        fetch(ADDRESS, FILES, lock=lock)
    assert "SecretToken" not in "".join(traceback.format_exception(caught.value))


def test_a_repository_that_is_not_there_is_one_clear_line(hub: Hub, lock: Path) -> None:
    with pytest.raises(Unavailable, match="not on the hub") as caught:
        fetch("hf-hub:no/such", lock=lock)
    assert "\n" not in str(caught.value)


def test_without_a_hub_the_command_that_would_help_is_named(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "empty"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(Unavailable, match="hf download someone/pictures"):
        fetch(ADDRESS, FILES, lock=lock)


def test_local_weights_are_named_by_their_content(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    folder.mkdir()
    (folder / "a.safetensors").write_bytes(b"one")
    first = fetch(f"local-dir:{folder}")
    assert first.revision.startswith("sha256:")
    assert first.revision == pinned(f"local-dir:{folder}")
    (folder / "a.safetensors").write_bytes(b"two")
    assert fetch(f"local-dir:{folder}").revision != first.revision
    assert fetch(f"local-dir:{folder}/a.safetensors").path.read_bytes() == b"two"


def test_missing_local_weights_are_prepared_where_the_row_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "unpacked"

    def unpack() -> None:
        folder.mkdir()
        (folder / "a.safetensors").write_bytes(b"one")

    monkeypatch.setattr("tests.evidence.tiny.hub.unpack", unpack, raising=False)
    assert fetch(f"local-dir:{folder}", prepare="tests.evidence.tiny.hub:unpack").path == folder
    with pytest.raises(Unavailable, match="not on this disk"):
        fetch(f"local-dir:{tmp_path}/nowhere")


def test_two_workers_lose_no_pin(hub: Hub, lock: Path, repository: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    names = [f"someone/model-{n}" for n in range(6)]
    hub.folders |= dict.fromkeys(names, repository)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda name: fetch(f"hf-hub:{name}", FILES, lock=lock), names))
    assert sorted(json.loads(lock.read_text())) == names
