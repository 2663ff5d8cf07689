"""The taxonomy of anti-aesthetics as data: reads and checks `content/taxonomy.toml`.

Refuses unknown keys, doubled ids and phrases, a sub-category without a reason for having no treatment. Every problem of
the file is reported at once, with file, line and field. Needs no OpenCV.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CATEGORY_KEYS = {"id", "label", "meaning", "sub_category"}
_SUB_KEYS = {"id", "label", "meaning", "phrases", "treatment", "why_not"}
_ID = re.compile(r"[a-z][a-z0-9_]*")
_PHRASE = re.compile(r"[a-z0-9]+(?:[ -][a-z0-9]+)*")


@dataclass(frozen=True)
class SubCategory:
    """One kind of wrongness. `why_not` is empty where there is a treatment."""

    id: str
    category: str
    label: str
    meaning: str
    phrases: tuple[str, ...]
    treatment: bool
    why_not: str


@dataclass(frozen=True)
class Category:
    """A family of sub-categories, in published order."""

    id: str
    label: str
    meaning: str
    sub_categories: tuple[SubCategory, ...]


@dataclass(frozen=True)
class Taxonomy:
    """All categories in published order."""

    categories: tuple[Category, ...]

    @property
    def sub_categories(self) -> tuple[SubCategory, ...]:
        return tuple(sub for category in self.categories for sub in category.sub_categories)

    def __getitem__(self, name: str) -> SubCategory:
        """The sub-category `name`; ValueError with the nearest known one otherwise."""
        for sub in self.sub_categories:
            if sub.id == name:
                return sub
        raise ValueError(
            f"no such sub-category '{name}'" + _did_you_mean(name, (sub.id for sub in self.sub_categories))
        )

    @property
    def treatments(self) -> tuple[str, ...]:
        """The ids that have a treatment."""
        return tuple(sub.id for sub in self.sub_categories if sub.treatment)


@dataclass(frozen=True, order=True)
class TaxonomyProblem:
    """One defect of the file. `line` is 1-based."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        return (
            f"{self.file}:{self.line} {self.field}: {self.message}"
            if self.field
            else f"{self.file}:{self.line}: {self.message}"
        )


class TaxonomyError(ValueError):
    """All defects of a taxonomy file, one a line."""

    def __init__(self, problems: Iterable[TaxonomyProblem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))


def load(path: Path) -> Taxonomy:
    """Read and check the taxonomy at `path`. Raises TaxonomyError (a ValueError) with every problem found."""
    file = path.as_posix()
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = tomllib.loads(text)
    except OSError as error:
        raise TaxonomyError([TaxonomyProblem(file, 1, "", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise TaxonomyError([TaxonomyProblem(file, 1, "", "is not UTF-8 text")]) from error
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"at line (\d+)", str(error))
        line = int(place[1]) if place else max(1, text.count("\n"))
        raise TaxonomyError([TaxonomyProblem(file, line, "", f"not TOML: {error}")]) from error
    problems = [TaxonomyProblem(file, _line(text, where), where, message) for where, message in _defects(rows)]
    if problems:
        raise TaxonomyError(problems)
    return Taxonomy(tuple(_category(row) for row in rows["category"]))


def of(treatments: Iterable[tuple[str, str, str]]) -> Taxonomy:
    """The taxonomy of treatments that are given as (id, category, label): nothing in it has phrases."""
    found: dict[str, list[SubCategory]] = {}
    for id, category, label in treatments:
        found.setdefault(category, []).append(SubCategory(id, category, label, "", (), True, ""))
    return Taxonomy(
        tuple(Category(name, name.replace("_", " ").capitalize(), "", tuple(subs)) for name, subs in found.items())
    )


def _category(row: dict[str, Any]) -> Category:
    subs = (
        SubCategory(
            sub["id"],
            row["id"],
            sub["label"],
            sub["meaning"],
            tuple(sub["phrases"]),
            sub["treatment"],
            sub.get("why_not", ""),
        )
        for sub in row["sub_category"]
    )
    return Category(row["id"], row["label"], row["meaning"], tuple(subs))


def _defects(rows: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(field, message) of everything wrong with the parsed file."""
    yield from _unknown("", rows, {"category"})
    if not _tables(rows.get("category")):
        yield "category", "must be a list of [[category]] tables, at least one"
        return
    ids, phrases = dict[str, str](), dict[str, str]()
    for index, row in enumerate(rows["category"]):
        where = f"category[{index}]"
        yield from _unknown(where, row, _CATEGORY_KEYS)
        yield from _texts(where, row, ("id", "label", "meaning"))
        yield from _claimed(f"{where}.id", row.get("id"), ids, "id")
        if not _tables(row.get("sub_category")):
            yield f"{where}.sub_category", "must be a list of [[category.sub_category]] tables, at least one"
            continue
        for position, sub in enumerate(row["sub_category"]):
            yield from _sub_defects(f"{where}.sub_category[{position}]", sub, ids, phrases)


def _sub_defects(
    where: str, sub: dict[str, Any], ids: dict[str, str], phrases: dict[str, str]
) -> Iterator[tuple[str, str]]:
    yield from _unknown(where, sub, _SUB_KEYS)
    yield from _texts(where, sub, ("id", "label", "meaning"))
    yield from _claimed(f"{where}.id", sub.get("id"), ids, "id")
    said = sub.get("phrases")
    if not isinstance(said, list) or not 4 <= len(said) <= 8:
        yield f"{where}.phrases", "must be a list of 4 to 8 phrases"
    else:
        for phrase in said:
            if not isinstance(phrase, str) or not _PHRASE.fullmatch(phrase):
                yield f"{where}.phrases", f"{phrase!r} is not a phrase of lower-case words"
            else:
                yield from _claimed(f"{where}.phrases", phrase, phrases, "phrase")
    if not isinstance(sub.get("treatment"), bool):
        yield f"{where}.treatment", "must be true or false"
    elif sub["treatment"] and "why_not" in sub:
        yield f"{where}.why_not", "explains a missing treatment, but treatment is true"
    elif not sub["treatment"] and not (isinstance(sub.get("why_not"), str) and sub["why_not"].strip()):
        yield f"{where}.why_not", "must say why there is no treatment"


def _tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _unknown(where: str, row: dict[str, Any], known: set[str]) -> Iterator[tuple[str, str]]:
    for key in row.keys() - known:
        yield f"{where}.{key}".lstrip("."), "unknown key" + _did_you_mean(key, known)


def _texts(where: str, row: dict[str, Any], keys: Iterable[str]) -> Iterator[tuple[str, str]]:
    for key in keys:
        value = row.get(key)
        if not isinstance(value, str) or not value.strip():
            yield f"{where}.{key}", "must be a text that is not empty"
        elif key == "id" and not _ID.fullmatch(value):
            yield f"{where}.id", f"'{value}' is not an id (lower case, digits, underscores)"


def _claimed(field: str, value: object, taken: dict[str, str], what: str) -> Iterator[tuple[str, str]]:
    """A complaint when `value` was used before; notes its first place otherwise."""
    if not isinstance(value, str):
        return
    if value in taken:
        yield field, f"{what} '{value}' is already used by {taken[value]}"
    else:
        taken[value] = field


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f", did you mean '{near[0]}'?" if near else ""


def _line(text: str, field: str) -> int:
    """1-based line of `field` (`category[1].sub_category[0].phrases`), or of the table it is missing from."""
    wanted = re.sub(r"\.?\w+$", "", field) if not field.endswith("]") else field
    key = field.rpartition(".")[2]
    category, sub, here, found = -1, -1, "", 1
    for number, line in enumerate(text.splitlines(), 1):
        header = line.split("#")[0].strip()
        if header == "[[category]]":
            category, sub = category + 1, -1
            here = f"category[{category}]"
        elif header == "[[category.sub_category]]":
            sub += 1
            here = f"category[{category}].sub_category[{sub}]"
        elif here == wanted and re.match(rf"\s*{re.escape(key)}\s*=", line):
            return number
        if here == wanted and header.startswith("[["):
            found = number
    return found
