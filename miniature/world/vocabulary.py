"""The language of the world: a word-level tokenizer, and what to say to a word it does not know.

The tokenizer that is shipped with the weights is the one they were trained with; this module only builds a new one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from miniature.world import scenes
from miniature.world.sprites import FACES, OBJECTS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

LENGTH = 32  # tokens a caption may have, its two ends included; the longest of the world has 25
SPECIAL = ("<pad>", "<unk>", "<mask>", "<bos>", "<eos>")
PAD, UNKNOWN, BEGIN, END = 0, 1, 3, 4


def split(text: str) -> list[str]:
    """Words and punctuation marks of `text` in lower case."""
    return re.findall(r"\w+|[^\w\s]", text.lower())


def vocabulary() -> list[str]:
    """Every word that a caption of the world can hold, sorted; nothing that training never shows."""
    texts = ["a an and face ,", *OBJECTS, *FACES, *scenes.QUALITIES, *scenes.OPENINGS]
    for ways in (scenes.BACKGROUNDS, scenes.TIMES, scenes.phrases()):
        texts.extend(text for phrases in ways.values() for text in phrases)
    return sorted({word for text in texts for word in split(text)})


def tokenizer(words: Sequence[str]) -> PreTrainedTokenizerFast:
    """A stock tokenizer over `words`; ids 0-4 are pad, unknown, mask, begin, end."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    ids = {word: number for number, word in enumerate([*SPECIAL, *words])}
    core = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    core.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", BEGIN), ("<eos>", END)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<bos>",
        eos_token="<eos>",
        model_max_length=LENGTH,
    )


def encode(captions: Sequence[str], words: Sequence[str]) -> np.ndarray:
    """Token ids int16 (n, LENGTH), as the tokenizer over `words` gives them, without loading it."""
    ids = {word: number for number, word in enumerate([*SPECIAL, *words])}
    rows = np.full((len(captions), LENGTH), PAD, np.int16)
    for row, caption in zip(rows, captions, strict=True):
        inner = [ids.get(word, UNKNOWN) for word in split(caption)][: LENGTH - 2]
        row[: len(inner) + 2] = [BEGIN, *inner, END]
    return rows


def unknown(prompt: str, known: Iterable[str]) -> dict[str, str | None]:
    """Words of `prompt` that are not among `known`, each with its nearest known word or None."""
    words = sorted(known)
    missing = dict.fromkeys(word for word in split(prompt) if word not in set(words))
    near = {word: difflib.get_close_matches(word, words, n=1, cutoff=0.6) for word in missing}
    return {word: (found[0] if found else None) for word, found in near.items()}
