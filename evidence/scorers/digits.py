"""J: a vision-language model rates eleven aesthetic dimensions of a picture and never sees the prompt.

Every dimension is one question with a guideline; the score is the expectation of the digits 0, 1, 2 under the model's
probabilities for exactly these three tokens after the question, so it lies in 0..2; higher is conventionally nicer.
Cards are padded on the right and read at their own last real token: reading position -1 of such a batch, as happens
when the padding side is left to chance, would read padding for every question but the longest.
"""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL.Image import Image, Resampling
from torch import Tensor
from transformers import Qwen3VLForConditionalGeneration

from evidence.cards.base import ROOT
from evidence.dimensions import DIMENSIONS
from evidence.interfaces import Score
from evidence.scorers.base import LocalScorer, base_of, open_model, weights_of
from evidence.scorers.chat import PICTURE, ChatInput, Turn
from evidence.scorers.digits_card import AnnotatorCard
from ledger.problems import InputError, Problem, relative

DIGITS = ("0", "1", "2")


def sum_all(scores: Mapping[str, float]) -> float:
    """Sum over all eleven dimensions, 0..22: what the published tables call J."""
    return sum(scores[dimension] for dimension in DIMENSIONS)


def sum_selected(scores: Mapping[str, float], selected: Iterable[str]) -> float:
    """Sum over the dimensions that one prompt asks to depart from. Not comparable with `sum_all`."""
    return sum(scores[dimension] for dimension in selected)


@dataclass(frozen=True)
class Guideline:
    """A question with {dimension} and {guideline}, and for each dimension its options by the text shown for them."""

    question: str
    options: Mapping[str, Mapping[str, str]]

    def ask(self, dimension: str) -> str:
        return self.question.replace("{dimension}", dimension).replace("{guideline}", str(self.options[dimension]))


def read_guideline(path: Path, question: str = "") -> Guideline:
    """Our TOML (question and options), or a CSV with the columns Dimension, Score, Option, Description.

    In the CSV a dimension is the text in the first parentheses of `Dimension`, written on its first line only, and a
    score counts by its sign. Raises InputError unless all eleven dimensions have the digits 0, 1 and 2."""
    found = _from_csv(path, question) if path.suffix == ".csv" else _from_toml(path, question)
    file = relative(path, ROOT)
    problems = [Problem(file, 0, d, "is not described") for d in DIMENSIONS if d not in found.options]
    for dimension, options in found.options.items():
        lacking = [digit for digit in DIGITS if not any(shown.endswith(f": {digit}") for shown in options)]
        problems += [Problem(file, 0, dimension, f"has no option for {digit}") for digit in lacking]
    if not found.question:
        problems.append(Problem(file, 0, "question", "a CSV holds none: give the card one"))
    if problems:
        raise InputError(problems)
    return found


def _from_toml(path: Path, question: str) -> Guideline:
    table = tomllib.loads(path.read_text("utf-8"))
    asked = question or str(table.pop("question"))
    table.pop("question", None)
    options = {
        dimension: {f"{name}: {digit}": f": {text}" for digit, (name, text) in sorted(levels.items(), reverse=True)}
        for dimension, levels in table.items()
    }
    return Guideline(asked, options)


def _from_csv(path: Path, question: str) -> Guideline:
    options: dict[str, dict[str, str]] = {}
    dimension = ""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        for card in csv.DictReader(stream):
            cell = {str(name).strip(): (value or "") for name, value in card.items()}
            if cell["Dimension"]:
                dimension = _key(cell["Dimension"])
            score = int(cell["Score"])
            digit = (score > 0) - (score < 0) + 1
            options.setdefault(dimension, {})[f"{cell['Option']}: {digit}"] = f": {cell['Description'].strip()}"
    kept = {name: levels for name, levels in sorted(options.items()) if name in DIMENSIONS}
    return Guideline(question, kept)


def _key(title: str) -> str:
    inside = re.search(r"[((](.*?)[))]", title)
    return inside[1] if inside else title


class DigitAnnotator(LocalScorer):
    """Eleven scores in 0..2 by dimension, in the order of DIMENSIONS."""

    text_window = 0

    def __init__(self, card: AnnotatorCard, device: str = "cpu") -> None:
        super().__init__(card, device)
        self.model = self.place(open_model(Qwen3VLForConditionalGeneration, weights_of(card)))
        self.chat = ChatInput(base_of(card))
        self.digits = torch.tensor([self.chat.token(digit) for digit in DIGITS], device=self.device)
        guideline = read_guideline(ROOT / card.guideline, card.question)
        self.questions = [guideline.ask(dimension) for dimension in DIMENSIONS]
        self.side = card.image_size or 512

    def turns(self, image: Image) -> Turn:
        """One question for each dimension; the picture is brought to a square whatever its proportions."""
        square = image.resize((self.side, self.side), Resampling.BICUBIC)
        texts = [f"<|im_start|>user\n{q}{PICTURE}<|im_end|>\n<|im_start|>assistant\n" for q in self.questions]
        return self.chat.turns([square] * len(texts), texts)

    def probabilities(self, turn: Turn) -> Tensor:
        """(questions, 3) float32: of the digits, among themselves."""
        hidden = self.model.model(
            input_ids=turn.ids,
            attention_mask=turn.mask,
            mm_token_type_ids=turn.kinds,
            pixel_values=self.send(turn.patches),
            image_grid_thw=turn.grid,
            use_cache=False,
        ).last_hidden_state
        answer = hidden[torch.arange(len(turn.ids), device=hidden.device), turn.last]
        found: Tensor = self.model.lm_head(answer)[:, self.digits].float().softmax(-1)
        return found

    def values(self, images: Sequence[Image], prompts: Sequence[str]) -> list[Score]:
        weights = torch.arange(len(DIGITS), dtype=torch.float32, device=self.device)
        scores: list[Score] = []
        for image in images:
            expected = self.probabilities(self.turns(image).to(self.device)) @ weights
            scores.append(dict(zip(DIMENSIONS, expected.tolist(), strict=True)))
        return scores
