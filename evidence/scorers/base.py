"""What local scorers share: where they compute, how pairs become batches, how a checkpoint fits an architecture.

The score of a pair must not depend on its batch mates, to the bit: a batch always has the same shape (its last one is
filled with repeats that are thrown away), because kernels are chosen by shape. Missing, unexpected and misshapen keys
are errors that name the file. No remote code, no unrestricted pickle.
"""

from __future__ import annotations

import math
import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
import transformers
from accelerate import init_empty_weights
from PIL.Image import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from evidence.cards.base import ROOT
from evidence.cards.scorers import ScorerCard
from evidence.interfaces import Score
from evidence.weights import Unavailable, fetch
from ledger.problems import InputError, Problem, relative

transformers.utils.logging.disable_progress_bar()  # of loading

State = dict[str, Tensor]
Module = TypeVar("Module", bound=nn.Module)


class LocalScorer(ABC):
    """A scorer with weights on this machine. Higher means preferred, except where the card says otherwise."""

    text_window: int | None = None  # tokens, start and end included; None: no bound, 0: the text is not read

    def __init__(self, card: ScorerCard, device: str = "cpu") -> None:
        self.card, self.device = card, torch.device(device)
        self.dtype = torch.float32 if self.device.type == "cpu" else getattr(torch, card.dtype)
        self.batch = 1 if self.device.type == "cpu" else card.batch

    def place(self, module: Module, dtype: torch.dtype | None = None) -> Module:
        """The module where it computes, its parameters in the number format of the card. Buffers keep theirs: rotary
        frequencies in half precision would turn the thousandth token by radians. On a CPU every tensor is copied to
        memory of its own: a file's tensors lie at any address, and kernels round by address."""
        for part in module.parameters():
            part.data = part.data.to(self.device, dtype or self.dtype)
        placed: Any = module.to(self.device)
        return placed._apply(torch.clone) if self.device.type == "cpu" else placed  # type: ignore[no-any-return]

    def send(self, pixels: Tensor) -> Tensor:
        """Prepared pictures where they are computed with, likewise in memory of their own."""
        return pixels.to(self.device, self.dtype, copy=True)

    @abstractmethod
    def values(self, images: Sequence[Image], prompts: Sequence[str]) -> list[Score]:
        """Scores of one batch, in order."""

    def token_count(self, prompt: str) -> int:
        """Tokens of the whole prompt, start and end included."""
        raise NotImplementedError(f"{self.card.id} reads no text")

    def score(self, images: list[Image], prompts: list[str]) -> list[Score]:
        """Scores picture i (of eight bits, brought to RGB) under prompt i."""
        if len(images) != len(prompts):
            raise ValueError(f"{len(images)} pictures but {len(prompts)} prompts")
        if deep := next((image.mode for image in images if image.mode.startswith(("I", "F"))), ""):
            raise ValueError(f"a picture of mode {deep} would be clipped to eight bits: decode it (effects.decode)")
        scores: list[Score] = []
        with torch.inference_mode():
            for start in range(0, len(images), self.batch):
                chosen = [min(i, len(images) - 1) for i in range(start, start + self.batch)]
                found = self.values([images[i].convert("RGB") for i in chosen], [prompts[i] for i in chosen])
                scores += found[: len(images) - start]
        for number, score in enumerate(scores):
            if not all(map(math.isfinite, score.values() if isinstance(score, dict) else [score])):
                raise ValueError(f"{self.card.id}: the score of picture {number} is not a number")
        return scores

    def truncated(self, prompts: list[str]) -> list[bool]:
        """Whether the text window cuts each prompt."""
        if not self.text_window:
            return [False] * len(prompts)
        return [self.token_count(prompt) > self.text_window for prompt in prompts]


def without_control(prompts: Sequence[str], tokenizer: Any, *more: str) -> list[str]:
    """The prompts. ValueError for one with a control token of the tokenizer, or of `more`, written out in it: the text
    would be read as ended there, or at the wrong place."""
    for prompt in prompts:
        if found := next((token for token in (*tokenizer.all_special_tokens, *more) if token in prompt), None):
            raise ValueError(f"the prompt holds the control token {found}: {prompt!r}")
    return list(prompts)


def weights_of(card: ScorerCard) -> Path:
    return fetch(card.weights, card.files, prepare=card.prepare).path


def file_of(card: ScorerCard, name: str) -> Path:
    """One file of the weights. Raises Unavailable with where it belongs."""
    path = weights_of(card) / name
    if not path.is_file():
        raise Unavailable(f"{name} is not in {card.weights}", card.note or f"put it into {relative(path.parent, ROOT)}")
    return path


def base_of(card: ScorerCard) -> Path:
    """The folder with architecture, tokenizer and processor: `base`, or that of the weights."""
    return fetch(card.base, card.base_files).path if card.base else weights_of(card)


def read_state(path: Path, inside: str = "") -> State:
    """Tensors of a safetensors file, or of a torch file read with `weights_only=True`, where `inside` may hold them.
    Raises InputError naming a file with anything else in it."""
    if path.suffix == ".safetensors":
        return dict(load_file(path))
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # its text is long and recommends to trust the file
        complain(path, [("", "refused: it holds more than tensors and containers")])
        raise
    if inside and inside in content:
        content = content[inside]
    return {key: tensor for key, tensor in content.items() if isinstance(tensor, Tensor)}


def rename(state: Mapping[str, Tensor], rules: Sequence[tuple[str, str]]) -> State:
    """Keys with every rule (old text, new text) applied in order."""
    renamed: State = {}
    for key, tensor in state.items():
        for old, new in rules:
            key = key.replace(old, new)
        renamed[key] = tensor
    return renamed


def build(make: Callable[[], Module]) -> Module:
    """An architecture whose parameters occupy no memory until `fit` assigns them; its buffers are real."""
    with init_empty_weights(include_buffers=False):
        return make()


def fit(module: Module, state: Mapping[str, Tensor], path: Path, original: Mapping[str, str] | None = None) -> Module:
    """Assigns `state` to `module`, in evaluation mode. Raises InputError with missing, unexpected, misshapen keys."""
    wanted = module.state_dict()
    faults = [(key, "is missing (key of the stock class)") for key in wanted.keys() - state.keys()]
    faults += [(key, "is unexpected") for key in state.keys() - wanted.keys()]
    faults += [
        (key, f"has shape {tuple(state[key].shape)}, expected {tuple(wanted[key].shape)}")
        for key in wanted.keys() & state.keys()
        if state[key].shape != wanted[key].shape
    ]
    complain(path, [((original or {}).get(key, key), message) for key, message in faults])
    module.load_state_dict(state, assign=True)
    return module.eval().requires_grad_(False)


def complain(path: Path, faults: Sequence[tuple[str, str]], most: int = 8) -> None:
    """Raises InputError naming the file when there are faults (key, what is wrong with it)."""
    if faults:
        file = relative(path, ROOT)
        told = [Problem(file, 0, key, message) for key, message in sorted(faults)[:most]]
        rest = len(faults) - most
        raise InputError([*told, Problem(file, 0, "", f"and {rest} more keys do not fit")] if rest > 0 else told)


def open_model(model_class: Any, folder: Path, **settings: Any) -> Any:
    """A transformers model from its own directory, on the CPU in float32, with every key accounted for."""
    model, report = model_class.from_pretrained(
        folder, output_loading_info=True, dtype=torch.float32, trust_remote_code=False, **settings
    )
    faults = [(key, "is missing") for key in report["missing_keys"]]
    faults += [(key, "is unexpected") for key in report["unexpected_keys"]]
    faults += [(str(key), "has another shape") for key in report["mismatched_keys"]]
    complain(folder, faults)
    return model.eval().requires_grad_(False)
