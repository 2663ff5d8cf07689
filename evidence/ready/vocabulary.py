"""Words that a generator does not know, and labels that an annotator does not: refused before the first picture.

Only where a vocabulary is closed: a word-level tokenizer turns an unknown word into one token for all of them, and an
image classifier has the labels it was trained with. Both are read from files beside the weights; no model is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from evidence import weights
from evidence.cards.models import ModelCard
from evidence.cards.scorers import ScorerCard
from evidence.jobs.plan import Participants, names_labels
from evidence.protocols import Experiment
from ledger.problems import InputError, Problem, did_you_mean

_SHOWN = 8  # problems that are spelled out


def check(participants: Participants, experiments: Iterable[Experiment]) -> None:
    """Raises InputError with the prompts that somebody who takes part does not understand."""
    every = list(experiments)
    problems = [*_words(participants, every), *_labels(participants, every)]
    if problems:
        rest = len(problems) - _SHOWN
        more = [Problem("--prompt-set", 0, "", f"and {rest} more")] if rest > 0 else []
        raise InputError([*problems[:_SHOWN], *more])


def _words(participants: Participants, experiments: list[Experiment]) -> Iterator[Problem]:
    for model in participants.models.values():
        known = words_of(model.card)
        if known is None:
            continue
        for experiment in experiments:
            for prompt in experiment.prompts.rows:
                for _, text in prompt.texts():
                    if strange := known.unknown(text):
                        told = f"{model.card.label} does not know {', '.join(repr(word) for word in strange)}"
                        yield Problem(experiment.prompts.source, 0, prompt.id, told)


def _labels(participants: Participants, experiments: list[Experiment]) -> Iterator[Problem]:
    for scorer in participants.scorers.values():
        if not names_labels(scorer):
            continue
        known = labels_of(scorer)
        for experiment in experiments:
            for prompt in experiment.prompts.rows:
                for label in prompt.labels:
                    if label not in known:
                        told = f"'{label}' is no label of {scorer.label}{did_you_mean(label, known)}"
                        yield Problem(experiment.prompts.source, 0, prompt.id, told)


@dataclass(frozen=True)
class Words:
    """A word-level tokenizer and its mark for every word that it does not know."""

    tokenizer: Any
    mark: str

    def unknown(self, text: str) -> list[str]:
        read = self.tokenizer.encode(text)
        marked = zip(read.tokens, read.offsets, strict=True)
        return [text[start:stop] for token, (start, stop) in marked if token == self.mark]


def words_of(card: ModelCard) -> Words | None:
    """The words of a generator; None for a service, and for a tokenizer that reads any text."""
    if card.remote:
        return None
    folder = weights.fetch(card.weights, card.files, prepare=card.prepare).path
    files = sorted(folder.glob("tokenizer*/tokenizer.json"))
    models = [json.loads(file.read_text("utf-8"))["model"] for file in files]
    if not models or any(model["type"] != "WordLevel" for model in models):
        return None
    from tokenizers import Tokenizer

    return Words(Tokenizer.from_file(str(files[0])), models[0]["unk_token"])


def labels_of(card: ScorerCard) -> list[str]:
    config = weights.fetch(card.weights, card.files, prepare=card.prepare).path / "config.json"
    return list(json.loads(config.read_text("utf-8"))["id2label"].values())
