"""The models of a training folder as cards of the evidence engine, which draws and scores them for `measure` and
`calibrate` as it draws any other generator.

An aligned variant is the card of the base model with a LoRA, its strength the scale of the LoRA; the placebo of a
variant is a LoRA of its own. Rewards and judge are cards of scorers. Nothing in `evidence` knows of this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from filelock import FileLock
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from evidence import generators, scorers
from evidence.cards import Cards
from evidence.cards.models import CONTROLLED, ModelCard
from evidence.engines import Options, local
from evidence.interfaces import Generator, Scorer
from evidence.jobs.plan import ConfiguredModel, Participants, PictureSpec, Requirements, Scoring, build, configured
from evidence.jobs.stored_results import StoredResults
from evidence.progress import RunProgress
from evidence.run import totals
from evidence.samples.store import Store
from evidence.scorers import ScorerCard
from miniature.nets import flow, lowrank, shapes
from miniature.shipping import pack
from miniature.training.common import as_bytes, as_float, device

BATCH = {"cuda": 64, "cpu": 4}
PLACEBO = 0  # seed of the order in which a placebo's rows stand
JUDGE, ENCODER = "judge", "encoder"


class Instrument:
    """A training folder's models. What is loaded stays loaded from one call to the next."""

    def __init__(self, folder: Path, sizes: shapes.Sizes, rewards: Sequence[str] = ()) -> None:
        self.folder, self.sizes, self.device, cards = folder.resolve(), sizes, device().type, Cards()
        number = "float32" if sizes is shapes.TINY else "bfloat16"
        self._settings = f"width={sizes.image},height={sizes.image},batch={BATCH[self.device]},dtype={number}"
        pipeline = {"weights": _address(self.folder / "generator" / "model"), "prepare": ""}
        self._base = cards.models["miniature-base"].model_copy(update=pipeline)
        self.rewards = tuple(rewards)
        kinds = {JUDGE: "miniature-judge", ENCODER: "miniature-encoder"}
        self.scorers = {
            name: _scorer(cards.scorers[kinds.get(name, "miniature-reward")], name, self._weights(name))
            for name in (*self.rewards, JUDGE)
        }
        self._loaded: dict[str, Scorer] = {}
        self._generator: Generator | None = None

    def generator(self, arm: str | None = None, scale: float = 0.0) -> ConfiguredModel:
        """An arm at a multiple of what was trained; the base model where there is none. `placebo-NAME` is the placebo
        of an arm."""
        card = self._base
        if arm is not None and scale != 0:
            card = card.model_copy(update={"lora": _address(self._adapter(arm)), "lora_scale": scale})
        return configured(f"base@{self._settings}", {"base": card})

    def observe(self, model: ConfiguredModel | None, wanted: Sequence[Scoring], samples: Path) -> StoredResults:
        """Draws and scores what is missing below `samples`. RuntimeError where a model cannot be loaded."""
        models = {} if model is None else {model.name: model}
        participants, store = Participants(models, self.scorers, {}, CONTROLLED), Store(samples)
        plan = build(participants, Requirements(scorings=tuple(wanted)))
        said = RunProgress(lambda line: print(line, flush=True))
        said.total(totals(plan))
        options = Options(device=self.device)
        tally = local.run(plan, store, options, said, load=self._load, load_scorer=self._load_scorer)
        if tally.unavailable:
            raise RuntimeError(f"cannot be measured: {tally.unavailable}")
        return StoredResults(participants, store)

    def embeddings(self, stored: StoredResults, pictures: Sequence[PictureSpec]) -> NDArray[np.float32]:
        """Unit vectors of drawn pictures by the un-aligned encoder."""
        encoder: Any = self._load_scorer(self.scorers[ENCODER], self.device)
        return encoder.embeddings([stored.store.picture(stored.participants.key(one)) for one in pictures])  # type: ignore[no-any-return]

    def through(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A picture (h, w, 3) after a way through the autoencoder."""
        with torch.no_grad():
            seen = flow.through(self._autoencoder, as_float(torch.from_numpy(picture[None])).to(self.device))
        return as_bytes(seen)[0]  # type: ignore[no-any-return]

    @cached_property
    def _autoencoder(self) -> Any:
        model: Any = AutoencoderKL.from_pretrained(self.folder / "generator" / "model" / "vae")
        return model.to(self.device).eval()

    def _load(self, card: ModelCard, profile: str, place: str, **told: Any) -> Generator:
        self._generator = generators.load(card, profile, place, **told | {"sharing": self._generator})
        return self._generator

    def _load_scorer(self, card: ScorerCard, place: str) -> Scorer:
        if card.id not in self._loaded:
            self._loaded[card.id] = scorers.load(card, place)
        return self._loaded[card.id]

    def _weights(self, name: str) -> Path:
        """The folder of a scorer; that of a reward is written from its factors."""
        if name in (JUDGE, ENCODER):
            return self.folder / name / "model"
        source, target = self.folder / "rewards" / f"{name}.safetensors", self.folder / "measured" / "models" / name
        with FileLock(self._lock):
            if _older(target / "model.safetensors", source):
                pack.write_reward(target, self.folder / ENCODER / "model", _arrays(load_file(source)))
        return target

    def _adapter(self, arm: str) -> Path:
        trained = arm.removeprefix("placebo-")
        source, target = self.folder / "alignment" / f"{trained}.safetensors", self.folder / "measured" / "models" / arm
        with FileLock(self._lock):
            if _older(target / pack.ADAPTER, source):
                stored = load_file(source)
                pack.write_adapter(target, _arrays(stored if arm == trained else lowrank.placebo(stored, PLACEBO)))
        return target

    @property
    def _lock(self) -> Path:
        """One process writes the folders of models that all measure with."""
        (self.folder / "measured").mkdir(exist_ok=True)
        return self.folder / "measured" / "models.lock"


def _address(path: Path) -> str:
    return f"local-dir:{path}"


def _scorer(card: ScorerCard, name: str, weights: Path) -> ScorerCard:
    """A shipped scorer's card for weights of a training folder, sixteen pairs at once on a GPU."""
    return card.model_copy(update={"id": name, "weights": _address(weights), "prepare": "", "batch": 16})


def _arrays(stored: dict[str, Tensor]) -> dict[str, NDArray[np.float32]]:
    return {name: value.numpy() for name, value in stored.items()}


def _older(target: Path, source: Path) -> bool:
    """Whether a file has to be written from its source."""
    return not target.exists() or target.stat().st_mtime_ns < source.stat().st_mtime_ns
