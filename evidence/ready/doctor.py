"""Which cards can run on this machine, what each of the others lacks, and the command that would help.

Looks at files, environment and packages only: nothing is downloaded, no server is asked, no weights are loaded, and of
a key it is told whether it is set.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence.cards import Cards
from evidence.cards.models import ModelCard
from evidence.registry import GENERATORS, SCORERS
from evidence.scorers import ScorerCard
from evidence.weights import LOCK

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Lack:
    """One thing that is missing, and the remedy (a command where there is one)."""

    what: str
    mend: str


def examine(cards: Cards, device_gib: float | None = None) -> Iterator[tuple[str, list[Lack]]]:
    """Every generator and scorer with what it lacks; an empty list means that it can run."""
    memory = memory_gib() if device_gib is None else device_gib
    for name, card in cards.models.items():
        adapter = GENERATORS[card.adapter]
        found = list(_packages(adapter.packages))
        found += _key(adapter.key) if adapter.remote else _weights(card, card.files, card.gated)
        yield name, found + ([] if adapter.remote else list(_memory(card.memory_gib, memory)))
    for name, scorer in cards.scorers.items():
        packages = _packages(SCORERS[scorer.adapter].packages)
        if scorer.remote:
            yield name, [*packages, *_key(str(getattr(scorer, "key_env", "")))]
        else:
            found = [*packages, *_weights(scorer, scorer.files, scorer.gated)]
            found += [Lack(f"file: {f}", mend) for f, mend in scorer.beside.items() if not (ROOT / f).exists()]
            yield name, found + list(_memory(scorer.memory_gib, memory))


def _packages(names: tuple[str, ...]) -> Iterator[Lack]:
    lacking = [name for name in names if importlib.util.find_spec(name) is None]
    if lacking:
        yield Lack(f"package{'s' if len(lacking) > 1 else ''} {', '.join(lacking)}", 'pip install -e ".[evidence]"')


def _key(variable: str, environment: Mapping[str, str] = os.environ) -> list[Lack]:
    if variable and not environment.get(variable):
        return [Lack(f"key: {variable} is not set", f"export {variable}=...")]
    return []


def _weights(card: ModelCard | ScorerCard, files: Sequence[str], gated: bool | None) -> list[Lack]:
    found = []
    for place, address in enumerate(card.addresses):
        if address.startswith("local-dir:"):
            if card.prepare or (ROOT / address.removeprefix("local-dir:").split(":")[0]).exists():
                continue
            found.append(Lack(f"weights: {address} is not there", _by_hand(card, address, files)))
        else:
            repository, _, rest = address.removeprefix("hf-hub:").partition(":")
            name, _, revision = repository.partition("@")
            if _cached(name):
                continue
            wanted = [rest] if rest else list(dict(getattr(card, "parts", ())).get(address, () if place else files))
            found.append(Lack(f"weights: {name} is not in the cache", _download(name, revision, wanted)))
            if gated and place == 0 and not signed_in():
                page = f"https://huggingface.co/{name}"
                found.append(Lack(f"licence: {name} is gated", f"accept it at {page}, then: hf auth login"))
    return found


def _by_hand(card: ModelCard | ScorerCard, address: str, files: Sequence[str]) -> str:
    what = ", ".join(files) or "the weights"
    return f"put {what} into {address.removeprefix('local-dir:')}" + (f" ({card.note})" if card.note else "")


def _cached(repository: str) -> bool:
    """Whether the hub's cache holds any snapshot; which files of it are used is verified when they are loaded."""
    home = Path(
        os.environ.get("HF_HUB_CACHE") or Path(os.environ.get("HF_HOME") or Path.home() / ".cache/huggingface") / "hub"
    )
    return any((home / f"models--{repository.replace('/', '--')}" / "snapshots").glob("*/*"))


def signed_in() -> bool:
    """Whether a token of the hub lies where its client looks for it; the token itself is not read."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache/huggingface")
    return bool(os.environ.get("HF_TOKEN")) or (home / "token").exists()


def _download(name: str, revision: str, files: Sequence[str]) -> str:
    pinned = f" --revision {revision}" if revision else ""
    return f"hf download {name}{pinned}" + "".join(f" --include '{pattern}'" for pattern in files)


def _memory(need: float | None, there: float | None) -> Iterator[Lack]:
    if need is not None and there is not None and need > there:
        yield Lack(f"memory: needs {need:g} GiB, the largest device has {there:.0f}", "use a larger GPU")


def gpu_gib() -> float | None:
    """Memory of the largest GPU in GiB. torch is not asked: it takes seconds."""
    if not shutil.which("nvidia-smi"):
        return None
    told = subprocess.run(
        ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return max((int(line) / 1024 for line in told.stdout.split() if line.isdigit()), default=None)


def memory_gib() -> float:
    """Memory of the largest GPU in GiB, of the machine where there is none."""
    return gpu_gib() or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def lock_note(cards: Cards) -> str:
    """How many of the cards with weights are pinned."""
    local = [card for card in cards.models.values() if not card.remote]
    pinned = sum(card.revision != "unpinned" for card in local)
    return f"{pinned} of {len(local)} generators with weights are pinned in {LOCK.name}"
