"""content/claims.toml: rows of a sentence, the values it rests on and the name of a rule, read and checked."""

from __future__ import annotations

import contextlib
import fnmatch
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field, StringConstraints

from ledger.claims.rules import RULES, Ref, Rule
from ledger.claims.wording import MARK
from ledger.problems import Problem, did_you_mean, form, relative, spell, toml_line
from ledger.schema import Id, Strict, Table, Value, Weight
from ledger.text import read_text, read_toml_as

FILE = "content/claims.toml"
PATTERN = form(r"^[a-z0-9*][a-z0-9_.*-]*$", "is no id of a value, in which * may stand for any part")
Pattern = Annotated[str, StringConstraints(pattern=PATTERN)]


class Criterion(Strict):
    """What decides: a rule, and the values that it reads.

    `rests_on` may hold patterns with `*`; their order is that of the ledger.
    """

    rule: str
    rests_on: list[Pattern] = Field(default_factory=list)
    options: dict[str, str] = Field(default_factory=dict)


class Setting(Criterion):
    """A second place where the same sentence is tested, such as a small model of one's own."""

    name: str = Field(min_length=1)  # "in a small model": said before its verdict


class ClaimRow(Criterion):
    """One claim as people write it."""

    id: Id
    sentence: str = Field(min_length=1)
    where: str = Field(min_length=1)
    section: Id
    weight: Weight = "argument"
    note: str = ""  # context for the reader, printed after the computed reason
    second: Setting | None = None


class _File(Strict):
    claims: list[ClaimRow] = Field(default_factory=list)


class Known(NamedTuple):
    """What claims may refer to."""

    values: Mapping[str, Value]
    tables: Mapping[str, Table]


def read_claims(root: Path) -> list[ClaimRow]:
    """Rows of content/claims.toml, each checked by itself; none where the file does not exist."""
    try:
        return read_toml_as(_File, root / FILE, root)[1].claims
    except FileNotFoundError:
        return []


def check_claims(rows: Sequence[ClaimRow], known: Known, root: Path) -> list[Problem]:
    """Unknown rules, options and ids, repeated claims, lists that a rule cannot read, at their lines."""
    if not rows:
        return []
    text, name = read_text(root / FILE, root), relative(root / FILE, root)
    problems = []

    def report(index: int, keys: tuple[str, ...], message: str) -> None:
        path: tuple[str | int, ...] = ("claims", index, *keys)
        problems.append(Problem(name, toml_line(text, path), spell(path), message))

    ids, sections = [row.id for row in rows], _sections(root)
    for index, row in enumerate(rows):
        if row.id in ids[:index]:
            report(index, ("id",), f"two claims are called {row.id!r}")
        if sections and row.section not in sections:
            report(index, ("section",), f"no such section {row.section!r}" + did_you_mean(row.section, sections))
        for key in ("sentence", "where", "note"):
            for id, _ in MARK.findall(getattr(row, key)):
                if id not in known.values:
                    report(index, (key,), _no_value(id, known))
        for key, message in _defects(row, known):
            report(index, (key,), message)
        for key, message in _defects(row.second, known) if row.second else ():
            report(index, ("second", key), message)
    return problems


def _sections(root: Path) -> set[str]:
    """Ids of the sections of the page; broken section files are reported by those who read them."""
    found = set[str]()
    for file in (root / "content" / "sections").glob("*/section.toml"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            found.add(str(tomllib.loads(file.read_text(encoding="utf-8-sig"))["id"]))
    return found


def _defects(criterion: Criterion, known: Known) -> Iterator[tuple[str, str]]:
    """Key and message of everything that keeps the rule from reading the values."""
    unknown = [pattern for pattern in criterion.rests_on if not matching(pattern, known.values)]
    yield from (("rests_on", _no_value(pattern, known)) for pattern in unknown)
    rule = RULES.get(criterion.rule)
    if rule is None:
        yield "rule", f"no such rule {criterion.rule!r}" + did_you_mean(criterion.rule, RULES)
        return
    yield from _option_defects(criterion, rule, known)
    if unknown:
        return
    found = len(in_order(rule, criterion.rests_on, known.values))
    if rule.paired and found % 2:
        yield "rests_on", f"rule {criterion.rule!r} reads values two by two, and there are {found}"
    if found < rule.at_least:
        yield "rests_on", f"rule {criterion.rule!r} needs at least {rule.at_least} values, and there are {found}"


def _option_defects(criterion: Criterion, rule: Rule, known: Known) -> Iterator[tuple[str, str]]:
    for name in rule.options:
        if name not in criterion.options:
            yield "rule", f"rule {criterion.rule!r} needs the option {name!r}"
    for name, given in criterion.options.items():
        kind = rule.options.get(name)
        if kind is None:
            yield "options", f"rule {criterion.rule!r} has no option {name!r}" + did_you_mean(name, rule.options)
        elif kind is Ref and given not in known.values:
            yield "options", _no_value(given, known)
        elif kind is Table and given not in known.tables:
            yield "options", f"no such table {given!r}" + did_you_mean(given, known.tables)


def _no_value(id: str, known: Known) -> str:
    return f"no such value {id!r}" + did_you_mean(id, known.values)


# -- patterns ---------------------------------------------------------------------------------------------------------


def in_order(rule: Rule, patterns: Sequence[str], values: Mapping[str, Value]) -> list[str]:
    """Ids as the rule reads them: one value may stand in several pairs, but once in a list."""
    if rule.paired:
        return [id for pair in _pairs(patterns, values) for id in pair]
    return list(dict.fromkeys(id for pattern in patterns for id in matching(pattern, values)))


def _pairs(patterns: Sequence[str], values: Mapping[str, Value]) -> Iterator[Sequence[str]]:
    """Two patterns in turn pair the values that * stands for alike; patterns of one value each are a pair."""
    for first, second in zip_longest(patterns[::2], patterns[1::2]):
        if second and "*" in first and first.count("*") == second.count("*"):
            stands_for = re.compile(re.escape(first).replace(r"\*", "(.*)"))
            for id in matching(first, values):
                match = stands_for.fullmatch(id)
                parts = iter(match.groups() if match else ())
                other = re.sub(r"\*", lambda _: next(parts), second)  # noqa: B023 - used at once
                if other in values:
                    yield id, other
        else:
            yield [id for pattern in (first, second) if pattern for id in matching(pattern, values)]


def matching(pattern: str, values: Mapping[str, Value]) -> list[str]:
    if "*" in pattern:
        return fnmatch.filter(values, pattern)
    return [pattern] if pattern in values else []
