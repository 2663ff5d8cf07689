"""All stages in their order, each a process of its own, side by side where one GPU has room.

    python build.py miniature train --minutes 40 --lease 8.5    (again until it says that everything is there)
    python build.py miniature train --stage generator --minutes 40

A stage that is done is not run again; one that was cut off continues: trained models and variants from a checkpoint,
renders, rewards and measured settings from the last whole one. One run at a time works in a folder; what it lacks is
named before anything starts; a stage ends with the run that started it, however that ends; no stage asks a network.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.problems import InputError, Problem
from miniature.nets.shapes import FULL, TINY, Sizes

STAGES = (
    "render", "autoencoder", "encoder", "generator", "judge", "thresholds", "rewards", "reward_grid", "freeze",
    "alignment", "calibrate", "measure", "tiny_decoder",
)  # fmt: skip
MODELS = ("autoencoder", "encoder", "generator", "judge", "tiny_decoder")  # stages that leave a report and `done`
# Shares of the whole time on one H100. Encoder and autoencoder run side by side, as do rewards and generator.
SHARES = {"render": 0.30, "autoencoder": 0.172, "encoder": 0.14, "judge": 0.07, "generator": 0.445, "alignment": 0.07}
FULL_COUNTS = (100_020, 6_000, 320, 200, 1_520)
TINY_COUNTS = (240, 24, 24, 10, 12)
TINY_MEASURED = 2  # pairs of prompts
# Stages run side by side: threads would only wait for each other. Their models are files here or an error.
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
NEEDS = {
    "autoencoder": ("render",),
    "encoder": ("render",),
    "generator": ("render", "autoencoder", "encoder"),
    "judge": ("render", "autoencoder"),
    "thresholds": ("render", "autoencoder", "judge"),
    "rewards": ("render", "encoder"),
    "reward_grid": ("render", "encoder"),
    "freeze": ("encoder", "generator", "judge", "rewards"),
    "alignment": ("generator", "rewards"),
    "calibrate": ("generator", "judge", "rewards", "alignment"),
    "measure": ("generator", "judge", "rewards", "alignment"),
    "tiny_decoder": ("generator", "alignment"),
}
LEFT = {  # what a stage that has run leaves, one of these
    "render": ("data/ready",),
    "rewards": ("rewards/*.safetensors",),
    "thresholds": ("judge/accuracy.json",),
    "alignment": ("alignment/*.safetensors",),
    **{stage: (f"{stage}/model/*.json",) for stage in ("autoencoder", "encoder", "generator", "judge")},
}
PROCESSES = {"rewards": 3, "reward_grid": 3, "alignment": 9, "calibrate": 6, "measure": 6}  # side by side on the GPU


def seconds_of(stage: str, minutes: float) -> float:
    """The budget of one stage when everything is given `minutes`."""
    return 60 * minutes * SHARES.get(stage, 0.1)


def missing(folder: Path, stages: Iterable[str], arms: tuple[str, ...] = ()) -> list[Problem]:
    """What the chosen stages need and neither find in the folder nor make themselves."""
    chosen = set(stages)
    needs = {(stage, need) for stage in chosen for need in NEEDS.get(stage, ())}
    if "alignment" in chosen and (not arms or any(arm.startswith("dpo") for arm in arms)):
        needs.add(("alignment", "render"))  # Diffusion-DPO learns from rendered pairs
    way = f"or start from the shipped weights: `python build.py miniature unpack --resume {folder}`"
    return [
        Problem(str(folder), 0, stage, f"needs the stage {need}, which has not run here: add --stage {need}, {way}")
        for stage, need in sorted(needs)
        if need not in chosen and not any(any(folder.glob(left)) for left in LEFT[need])
    ]


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Refuse a folder in which another run works."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=0):
            yield
    except Timeout:
        raise InputError([Problem(str(folder), 0, "", "another run is training here: wait for it or end it")]) from None


def run_stage(
    folder: Path, stage: str, size: str, seconds: float, part: str = "0/1", *, processes: int = 2,
    arms: tuple[str, ...] = (),
) -> None:  # fmt: skip
    """Run one stage in this process; imports what that stage needs."""
    tiny = size == "tiny"
    sizes: Sizes = {"full": FULL, "tiny": TINY}[size]
    if stage == "render":
        from miniature.training import renders
        from miniature.world import splits

        counts = splits.Counts(*(TINY_COUNTS if tiny else FULL_COUNTS))
        renders.render(folder / "data", counts, sizes.image, processes, None if tiny else seconds)
        return
    if stage == "freeze":
        from miniature.shipping import pack

        pack.freeze(folder)
        return
    from miniature.training.common import quiet

    quiet()
    if stage in MODELS:
        if not (folder / stage / "done").exists():
            module = importlib.import_module(f"miniature.training.{stage}")
            print(module.train(folder, sizes, seconds) | {"losses": "..."}, flush=True)
    elif stage == "thresholds":
        from miniature.training import judge

        if not (folder / "judge" / "accuracy.json").exists():
            judge.set_thresholds(folder)
    elif stage in ("rewards", "reward_grid"):
        _learn_rewards(folder, stage, part, tiny=tiny)
    elif stage == "alignment":
        _align(folder, sizes, part, arms)
    elif stage in ("calibrate", "measure"):
        _look(folder, sizes, stage, part)


def _learn_rewards(folder: Path, stage: str, part: str, *, tiny: bool) -> None:
    from miniature.training import rewards

    if stage == "reward_grid" and not tiny:
        rewards.train(folder, wanted=rewards.GRID, part=part)
    elif stage == "rewards" and tiny:
        rewards.train(folder, steps=12, pairs=8, wanted=rewards.ENSEMBLES[:3], part=part)
    elif stage == "rewards":
        rewards.train(folder, part=part)


def _align(folder: Path, sizes: Sizes, part: str, arms: tuple[str, ...]) -> None:
    from miniature.training import alignment

    number, of = map(int, part.split("/"))
    known = alignment.TINY_ARMS if sizes is TINY else alignment.ARMS
    for arm in [arm for arm in known if not arms or arm.name in arms][number::of]:
        if not (folder / "alignment" / f"{arm.name}.json").exists():
            alignment.train(folder, sizes, arm)


def _look(folder: Path, sizes: Sizes, stage: str, part: str) -> None:
    from miniature import calibration
    from miniature.training import measure

    gc.freeze()  # what libraries made: half a million objects to look through at every change of a model
    if stage == "calibrate":
        calibration.run(folder, sizes, part)
    else:
        measure.run(folder, sizes, part, count=TINY_MEASURED if sizes is TINY else FULL_COUNTS[2])


def run(
    folder: Path, stages: tuple[str, ...], size: str, minutes: float, processes: int, lease: float | None = None,
    arms: tuple[str, ...] = (),
) -> None:  # fmt: skip
    """Run `stages`; a failed stage ends the run with its name, and so does a `lease` of minutes that is over."""
    if problems := missing(folder, stages, arms):
        raise InputError(problems)
    with run_lock(folder):
        plan = _Processes(folder, size, minutes, processes, lease, arms)
        chosen = [stage for stage in STAGES if stage in stages]
        began = time.monotonic()
        try:
            _run(plan, folder, chosen, tiny=size == "tiny")
        finally:
            plan.stop()
        print(f"[train] {', '.join(chosen)}: {time.monotonic() - began:.0f} s", flush=True)


def _run(plan: _Processes, folder: Path, chosen: list[str], *, tiny: bool) -> None:
    if "render" in chosen and not (folder / "data" / "done").exists():
        plan.start("render")
        while not (folder / "data" / "ready").exists():
            plan.check()
            time.sleep(0.1)
    for model in [stage for stage in ("autoencoder", "encoder", "generator") if stage in chosen]:
        plan.start(model)
    plan.wait("autoencoder", "encoder")
    if "rewards" in chosen and not tiny:  # trained beside the generator
        plan.start("rewards", PROCESSES["rewards"])
    plan.wait("rewards", "render", "generator")
    after = [stage for stage in STAGES[4:] if stage in chosen and (tiny or stage != "rewards")]
    for stage in ["+".join(after)] if tiny and after else after:  # a process costs more than a tiny stage
        plan.start(stage, 1 if tiny else PROCESSES.get(stage, 1))
        plan.wait(stage)


class _Processes:
    """The stages that run now, their logs below `logs/`."""

    def __init__(
        self, folder: Path, size: str, minutes: float, processes: int, lease: float | None, arms: tuple[str, ...]
    ) -> None:
        self.folder, self.size, self.minutes, self.processes, self.arms = folder, size, minutes, processes, arms
        self.ends = time.monotonic() + 60 * lease if lease else float("inf")
        self.running: dict[str, list[subprocess.Popen[bytes]]] = {}
        (folder / "logs").mkdir(parents=True, exist_ok=True)

    def start(self, stage: str, parts: int = 1) -> None:
        for part in range(parts):
            command = [sys.executable, "-m", "miniature.training.plan", stage, str(self.folder), self.size]
            command += [str(seconds_of(stage, self.minutes)), f"{part}/{parts}", str(self.processes)]
            command += self.arms
            with (self.folder / "logs" / f"{stage}-{part}.log").open("ab") as log:
                process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, env=ENVIRONMENT,
                    start_new_session=True,
                )  # fmt: skip
            self.running.setdefault(stage, []).append(process)

    def check(self) -> None:
        """End the run when a stage has failed or the time on this machine is over."""
        for stage, processes in self.running.items():
            if any(process.poll() not in (None, 0) for process in processes):
                log = max((self.folder / "logs").glob(f"{stage}-*.log"), key=lambda path: path.stat().st_mtime)
                raise SystemExit(f"stage {stage} failed:\n{log.read_text(errors='replace')[-3000:]}")
        if time.monotonic() > self.ends:
            print("[train] the lease is over: the same command goes on from here", flush=True)
            raise SystemExit(0)

    def stop(self) -> None:
        """End what still runs, the renderers' own helpers included."""
        left = [process for group in self.running.values() for process in group if process.poll() is None]
        for process in left:
            os.killpg(process.pid, signal.SIGTERM)
        for process in left:
            process.wait()

    def wait(self, *stages: str) -> None:
        while any(process.poll() is None for stage in stages for process in self.running.get(stage, [])):
            self.check()
            time.sleep(0.1)
        self.check()


def main() -> None:
    """`python -m miniature.training.plan STAGE FOLDER SIZE SECONDS PART PROCESSES`, as `run` starts its stages."""
    parser = argparse.ArgumentParser()
    for name in ("stage", "folder", "size", "seconds", "part", "processes"):
        parser.add_argument(name)
    parser.add_argument("arms", nargs="*")
    given = parser.parse_args()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    seconds, processes = float(given.seconds), int(given.processes)
    for stage in given.stage.split("+"):
        run_stage(
            Path(given.folder), stage, given.size, seconds, given.part, processes=processes, arms=tuple(given.arms)
        )


def _end_with_parent() -> None:
    """Standard input closes when the parent ends, even by a kill that it cannot see: end with it, helpers included."""
    os.read(0, 1)  # not through sys.stdin, whose lock a forked renderer would inherit
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
