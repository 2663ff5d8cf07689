"""Writes the project's own prompt sets from `grammar.toml`: 300 wide-spectrum pairs, 30 faces, 100 critical ones.

    python -m evidence.prompts.grammar

Every choice is `sha256(seed/row/slot) mod n`, so the files are the same bytes on every machine and Python. A pair gets
two to four of the eleven dimensions; per dimension the taxonomy sub-category used least so far speaks, so that all are
covered evenly. Half of the wide prompts open with an effect: scorers with short text windows cut the end.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SOURCE = HERE / "grammar.toml"


class _Draw:
    """Choices of one row."""

    def __init__(self, seed: int, row: str) -> None:
        self.seed, self.row = seed, row

    def number(self, slot: str, below: int) -> int:
        digest = hashlib.sha256(f"{self.seed}/{self.row}/{slot}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % below

    def one(self, slot: str, options: list[Any]) -> Any:
        return options[self.number(slot, len(options))]

    def order(self, slot: str, options: list[str]) -> list[str]:
        return sorted(options, key=lambda option: self.number(f"{slot}/{option}", 2**63))


def wide_pairs(grammar: dict[str, Any]) -> list[dict[str, object]]:
    """The wide-spectrum pairs, no two with the same scene."""
    used: Counter[str] = Counter()
    seen: set[str] = set()
    rows: list[dict[str, object]] = []
    attempt = 0
    while len(rows) < grammar["pairs"]:
        draw = _Draw(grammar["seed"], f"wide/{attempt}")
        attempt += 1
        scene = draw.one("group", grammar["scene"])
        plain = " ".join(draw.one(slot, scene[slot]) for slot in ("subject", "action", "place")) + "."
        if plain in seen:
            continue
        seen.add(plain)
        dimensions = draw.order("dimensions", list(grammar["negative"]))[: 2 + draw.number("count", 3)]
        effects = [_effect(grammar, draw, scene["kind"], dimension, used) for dimension in dimensions]
        sentences = [draw.one(f"phrase/{effect['dimension']}", effect["phrases"]) for effect in effects]
        at = draw.number("opening", 2)
        rows.append(
            {
                "id": f"wide-{len(rows):03d}",
                "plain": plain,
                "wide": " ".join([*sentences[:at], plain, *sentences[at:]]),
                "dimensions": sorted(dimensions),
                "tags": sorted({effect["tag"] for effect in effects}),
                "negative": ", ".join(_polish(grammar, dimensions)),
            }
        )
    return rows


def _effect(grammar: dict[str, Any], draw: _Draw, kind: str, dimension: str, used: Counter[str]) -> dict[str, Any]:
    options = [e for e in grammar["effect"] if e["dimension"] == dimension and e.get("needs", kind) == kind]
    chosen: dict[str, Any] = min(options, key=lambda e: (used[e["tag"]], draw.number(f"tag/{e['tag']}", 2**63)))
    used[chosen["tag"]] += 1
    return chosen


def _polish(grammar: dict[str, Any], dimensions: list[str]) -> list[str]:
    """At most five words, one dimension after the other."""
    words = [word for dimension in sorted(dimensions) for word in grammar["negative"][dimension]]
    kept: list[str] = []
    for word in words:
        if sum(len(k.split()) for k in kept) + len(word.split()) <= 5:
            kept.append(word)
    return kept


def emotion_prompts(grammar: dict[str, Any]) -> Iterator[dict[str, object]]:
    """Every scene with every person, in every emotion; a statement is what a matcher checks the face against."""
    emotion = grammar["emotion"]
    for number, template in enumerate(emotion["scenes"]):
        for person in emotion["people"]:
            yield {
                "id": f"emotion-{number}-{person.replace(' ', '-')}",
                "plain": template.format(one=f"a {person}"),
                "prompts": {
                    word: template.format(one=f"{_article(word)} {word} {person}") for word in emotion["words"]
                },
                "statements": {
                    word: f"The face of the {person} shows {noun}." for word, noun in emotion["words"].items()
                },
            }


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def critical_prompts(grammar: dict[str, Any]) -> Iterator[dict[str, object]]:
    for topic, parts in grammar["critical"].items():
        for number, (subject, image) in enumerate((s, i) for s in parts["subject"] for i in parts["image"]):
            yield {"id": f"critical-{topic}-{number:02d}", "plain": f"{subject} {image}.", "topic": topic}


def files() -> dict[Path, str]:
    """Path and text of every committed prompt set."""
    grammar = tomllib.loads(SOURCE.read_text("utf-8"))
    sets = {
        "wide": wide_pairs(grammar),
        "emotion": list(emotion_prompts(grammar)),
        "critical": list(critical_prompts(grammar)),
    }
    return {
        HERE / f"{name}.jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        for name, rows in sets.items()
    }


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, "utf-8")
        print(f"{path.name}: {text.count(chr(10))} prompts")
