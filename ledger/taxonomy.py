"""The taxonomy of anti-aesthetics as data: reads and checks `content/taxonomy.toml`.

Refuses unknown keys, doubled ids and phrases, a sub-category without a reason for having no treatment: first whatever
has a wrong form, then what stands twice, each with file, line and field. Needs no OpenCV.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field, StrictBool, StringConstraints, model_validator

from ledger.problems import InputError, Problem, did_you_mean, form, relative, spell, toml_line
from ledger.schema import Strict
from ledger.text import read_toml_as

NAME = form(r"^[a-z][a-z0-9_]*$", "is no name: lower-case letters, digits and '_', a letter first")
PHRASE = form(r"^[a-z0-9]+(?:[ -][a-z0-9]+)*$", "is no phrase of lower-case words")
Name = Annotated[str, StringConstraints(pattern=NAME)]
Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Phrase = Annotated[str, StringConstraints(pattern=PHRASE)]


class SubCategory(Strict):
    """One kind of wrongness. `why_not` is empty where there is a treatment."""

    id: Name
    category: Name = ""  # of the table that it stands in
    label: Said
    meaning: str
    phrases: tuple[Phrase, ...] = Field(min_length=4, max_length=8)
    treatment: StrictBool
    why_not: str = ""


class Category(Strict):
    """A family of sub-categories, in published order."""

    id: Name
    label: Said
    meaning: str
    sub_category: tuple[SubCategory, ...] = Field(min_length=1)

    @property
    def sub_categories(self) -> tuple[SubCategory, ...]:
        return self.sub_category

    @model_validator(mode="after")
    def _names_its_own(self) -> Category:
        own = tuple(sub.model_copy(update={"category": self.id}) for sub in self.sub_category)
        return self.model_copy(update={"sub_category": own})


class Taxonomy(Strict):
    """All categories in published order."""

    category: tuple[Category, ...] = Field(min_length=1)

    @property
    def categories(self) -> tuple[Category, ...]:
        return self.category

    @property
    def sub_categories(self) -> tuple[SubCategory, ...]:
        return tuple(sub for category in self.category for sub in category.sub_category)

    def __getitem__(self, name: str) -> SubCategory:
        """The sub-category `name`; ValueError with the nearest known one otherwise."""
        known = {sub.id: sub for sub in self.sub_categories}
        if name not in known:
            raise ValueError(f"no such sub-category '{name}'" + did_you_mean(name, known))
        return known[name]

    @property
    def treatments(self) -> tuple[str, ...]:
        """The ids that have a treatment."""
        return tuple(sub.id for sub in self.sub_categories if sub.treatment)


def load(file: Path, root: Path) -> Taxonomy:
    """Read and check the taxonomy. Raises InputError with every problem found."""
    name = relative(file, root)
    try:
        text, taxonomy = read_toml_as(Taxonomy, file, root)
    except FileNotFoundError:
        raise InputError([Problem(name, 0, "", "no such file")]) from None
    problems = [Problem(name, toml_line(text, path), spell(path), said) for path, said in _defects(taxonomy)]
    if problems:
        raise InputError(problems)
    return taxonomy


def of(treatments: Iterable[tuple[str, str, str]]) -> Taxonomy:
    """The taxonomy of treatments that are given as (id, category, label): nothing in it has phrases."""
    found: dict[str, list[SubCategory]] = {}
    for id, category, label in treatments:
        sub = SubCategory.model_construct(
            id=id, category=category, label=label, meaning="", phrases=(), treatment=True, why_not=""
        )
        found.setdefault(category, []).append(sub)
    return Taxonomy.model_construct(
        category=tuple(
            Category.model_construct(
                id=name, label=name.replace("_", " ").capitalize(), meaning="", sub_category=tuple(subs)
            )
            for name, subs in found.items()
        )
    )


Place = tuple[str | int, ...]


def _defects(taxonomy: Taxonomy) -> Iterator[tuple[Place, str]]:
    """Place and message of every id and phrase that stands twice, and of every treatment that is badly explained."""
    taken = {"id": dict[str, Place](), "phrase": dict[str, Place]()}
    for what, word, place in _words(taxonomy):
        first = taken[what].setdefault(word, place)
        if first != place:
            yield place, f"{what} '{word}' is already used by {spell(first)}"
    for place, sub in _placed(taxonomy):
        if sub.treatment and sub.why_not:
            yield (*place, "why_not"), "explains a missing treatment, but treatment is true"
        if not sub.treatment and not sub.why_not.strip():
            yield (*place, "why_not"), "must say why there is no treatment"


def _words(taxonomy: Taxonomy) -> Iterator[tuple[str, str, Place]]:
    for index, category in enumerate(taxonomy.category):
        yield "id", category.id, ("category", index, "id")
    for place, sub in _placed(taxonomy):
        yield "id", sub.id, (*place, "id")
        yield from (("phrase", phrase, (*place, "phrases", number)) for number, phrase in enumerate(sub.phrases))


def _placed(taxonomy: Taxonomy) -> Iterator[tuple[Place, SubCategory]]:
    for index, category in enumerate(taxonomy.category):
        for position, sub in enumerate(category.sub_category):
            yield ("category", index, "sub_category", position), sub
