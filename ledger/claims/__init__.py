"""Claims of the page and how they are judged: no verdict is ever typed.

content/claims.toml holds rows of a sentence, the values it rests on and the name of a rule (ledger/claims/rules.py). A rule
sorts what it finds into evidence for, against and for neither; the verdict follows from the three piles. Sentences name
numbers as `{value id}`. A second rule, on values that the miniature measured, gives the verdict in the miniature.
"""

from __future__ import annotations

import contextlib
import fnmatch
import inspect
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError

from ledger.book import percent, show
from ledger.claims.wording import Finding, Ref, in_words, lowered, pairs_of
from ledger.problems import InputError, Problem, did_you_mean, relative, spell, toml_line
from ledger.claims.rules import AT_LEAST, PAIRED, RULES, VALUE_OPTIONS, WITHOUT_VALUES
from ledger.schema import Claim, Id, Strict, Table, Value

Pattern = Annotated[str, StringConstraints(pattern=r"^[a-z0-9*][a-z0-9_.*-]*$")]
Verdict = Literal["holds", "holds in part", "contradicted", "cannot be checked"]
Miniature = Literal["reproduced", "reproduced in part", "not reproduced", "opposite"]
Weight = Literal["argument", "detail", "caveat"]


class ClaimRow(Strict):
    """One claim as people write it. `rests_on` may hold patterns with `*`; their order is that of the ledger."""

    id: Id
    sentence: str = Field(min_length=1)
    where: str = Field(min_length=1)
    section: Id
    rule: str
    rests_on: list[Pattern] = Field(default_factory=list)
    options: dict[str, str] = Field(default_factory=dict)
    weight: Weight = "argument"  # "detail": a count, a label, a legend; "caveat": a limit of the evidence, by this page
    note: str = ""  # context for the reader, printed after the computed reason
    miniature_rule: str = ""
    miniature_rests_on: list[Pattern] = Field(default_factory=list)
    miniature_options: dict[str, str] = Field(default_factory=dict)


class _File(Strict):
    claims: list[ClaimRow] = Field(default_factory=list)


# -- reading and checking what people wrote ---------------------------------------------------------------------------


def read(root: Path) -> list[ClaimRow]:
    """Rows of content/claims.toml, each checked by itself; none where the file does not exist."""
    file = root / "content" / "claims.toml"
    name = relative(file, root)
    if not file.exists():
        return []
    try:
        text = file.read_text(encoding="utf-8-sig")
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        raise InputError([Problem(name, int(line[1]) if line else 0, "", f"not TOML: {error}")]) from None
    except UnicodeDecodeError as error:
        raise InputError([Problem(name, 0, "", f"not UTF-8 text, byte {error.start}")]) from None
    except (OSError, RecursionError) as error:
        raise InputError([Problem(name, 0, "", f"cannot be read: {error}")]) from None
    try:
        return _File.model_validate(tree).claims
    except ValidationError as error:
        raise InputError(_explain(error, text, name)) from None


def _explain(error: ValidationError, text: str, name: str) -> Iterator[Problem]:
    for detail in error.errors(include_url=False):
        path = detail["loc"]
        message = detail["msg"]
        if detail["type"] == "extra_forbidden":
            known = ClaimRow.model_fields if len(path) > 1 else _File.model_fields
            message = f"unknown key {str(path[-1])!r}" + did_you_mean(str(path[-1]), known)
        elif detail["type"] == "missing":
            message = "is missing"
        yield Problem(name, toml_line(text, path), spell(path), message)


def check(
    rows: Sequence[ClaimRow], values: Mapping[str, Value], tables: Mapping[str, Table], root: Path
) -> list[Problem]:
    """Unknown rules, options and ids, repeated claims, lists that a rule cannot read, at their lines."""
    if not rows:
        return []
    file = root / "content" / "claims.toml"
    text, name = file.read_text(encoding="utf-8-sig"), relative(file, root)
    problems = []

    def report(index: int, key: str, message: str) -> None:
        path = ("claims", index, key)
        problems.append(Problem(name, toml_line(text, path), spell(path), message))

    ids, sections = [row.id for row in rows], _sections(root)
    for index, row in enumerate(rows):
        if row.id in ids[:index]:
            report(index, "id", f"two claims are called {row.id!r}")
        if sections and row.section not in sections:
            report(index, "section", f"no such section {row.section!r}" + did_you_mean(row.section, sections))
        for key, message in _row_defects(row, values, tables):
            report(index, key, message)
    return problems


def _sections(root: Path) -> set[str]:
    """Ids of the sections of the page; broken section files are reported by those who read them."""
    found = set[str]()
    for file in (root / "content" / "sections").glob("*/section.toml"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            found.add(str(tomllib.loads(file.read_text(encoding="utf-8-sig"))["id"]))
    return found


def _row_defects(row: ClaimRow, values: Mapping[str, Value], tables: Mapping[str, Table]) -> Iterator[tuple[str, str]]:
    yield from _rule_defects("rule", row.rule, "options", row.options, tables)
    if row.miniature_rule:
        yield from _rule_defects(
            "miniature_rule", row.miniature_rule, "miniature_options", row.miniature_options, tables
        )
    for id in [*row.rests_on, *(id for key, id in row.options.items() if key in VALUE_OPTIONS)]:
        if not _matching(id, values):
            yield "rests_on" if id in row.rests_on else "options", f"no such value {id!r}" + did_you_mean(id, values)
    for key in ("sentence", "where", "note"):
        for id, _ in _MARK.findall(getattr(row, key)):
            if id not in values:
                yield key, f"no such value {id!r}" + did_you_mean(id, values)
    found = _in_order(row.rule, row.rests_on, values)
    if row.rule in PAIRED and len(found) % 2:
        yield "rests_on", f"rule {row.rule!r} reads values two by two, and there are {len(found)}"
    needed = 0 if row.rule in WITHOUT_VALUES else AT_LEAST.get(row.rule, 1)
    if len(found) < needed:
        yield "rests_on", f"rule {row.rule!r} needs at least {needed} values, and there are {len(found)}"


def _rule_defects(
    key: str, rule: str, options_key: str, options: Mapping[str, str], tables: Mapping[str, Table]
) -> Iterator[tuple[str, str]]:
    if rule not in RULES:
        yield key, f"no such rule {rule!r}" + did_you_mean(rule, RULES)
        return
    wanted = [name for name in inspect.signature(RULES[rule]).parameters if name not in ("refs", "twins")]
    for name in wanted:
        if name not in options:
            yield key, f"rule {rule!r} needs the option {name!r}"
    for name in options:
        if name not in wanted:
            yield options_key, f"rule {rule!r} has no option {name!r}" + did_you_mean(name, wanted)
    if "table" in wanted and (table := options.get("table", "")) not in tables:
        yield options_key, f"no such table {table!r}" + did_you_mean(table, tables)


# -- judging ----------------------------------------------------------------------------------------------------------

_MARK = re.compile(r"\{([a-z0-9][a-z0-9_.-]*)( %)?\}")  # `{value id}`, or `{value id %}` for a share in per cent


def judge(rows: Iterable[ClaimRow], values: Mapping[str, Value], tables: Mapping[str, Table]) -> dict[str, Claim]:
    """Every claim with its verdict and the reason in words. `rows` must have passed `check`."""
    return {row.id: _judged(row, values, tables) for row in rows}


def _judged(row: ClaimRow, values: Mapping[str, Value], tables: Mapping[str, Table]) -> Claim:
    rests_on = [*_expand(row.rests_on, values), *(id for key, id in row.options.items() if key in VALUE_OPTIONS)]
    finding = _found(row.rule, row.rests_on, row.options, values, tables)
    because = _sentence(finding) + (f" {row.note}" if row.note else "")
    miniature, mini_because, mini_rests_on = _in_miniature(row, values, tables)
    return Claim(
        sentence=_filled(row.sentence, values),
        sentence_marked=row.sentence,
        where=_filled(row.where, values),
        section=row.section,
        weight=row.weight,
        rests_on=rests_on,
        verdict=_verdict(finding),
        because=_filled(because, values),
        because_marked=because,
        in_miniature=miniature,
        in_miniature_because=_filled(mini_because, values),
        in_miniature_because_marked=mini_because,
        in_miniature_rests_on=mini_rests_on,
    )


def _found(
    rule: str,
    patterns: Sequence[str],
    options: Mapping[str, str],
    values: Mapping[str, Value],
    tables: Mapping[str, Table],
) -> Finding:
    """Applies a rule to the values that have a number; pending ones decide nothing."""
    refs = [Ref(id, values[id]) for id in _in_order(rule, patterns, values)]
    given: dict[str, object] = {
        key: Ref(text, values[text]) if key in VALUE_OPTIONS else tables[text] if key == "table" else text
        for key, text in options.items()
    }
    if rule == "rederived":
        linked = ((ref.id, ref.value.agrees_with) for ref in refs)
        given["twins"] = {id: Ref(twin, values[twin]) for id, twin in linked if twin}
    known, pending = _part_pending(rule, refs)
    enough = len(known) >= AT_LEAST.get(rule, 0 if rule in WITHOUT_VALUES else 1)
    finding = RULES[rule](known, **given) if enough else Finding()
    finding.unmeasured += dict.fromkeys(f"no number yet for {lowered(ref.value.label)}" for ref in pending)
    return finding


def _part_pending(rule: str, refs: Sequence[Ref]) -> tuple[list[Ref], list[Ref]]:
    """Values with a number, and those without. Rules that read two by two lose the whole pair."""
    if rule not in PAIRED:
        pending = [ref for ref in refs if ref.value.value is None]
        leads = pending and rule in AT_LEAST and refs[0].value.value is None
        return [] if leads else [ref for ref in refs if ref.value.value is not None], pending
    known = [side for pair in pairs_of(refs) if all(ref.value.value is not None for ref in pair) for side in pair]
    return known, [ref for ref in refs if ref.value.value is None]


def _verdict(finding: Finding) -> Verdict:
    """What is unmeasured neither raises nor lowers a verdict."""
    if not finding.supports and not finding.refutes:
        return "cannot be checked"
    if not finding.supports:
        return "contradicted"
    return "holds in part" if finding.refutes or finding.undecided else "holds"


_IN_MINIATURE: dict[Verdict, Miniature] = {
    "holds": "reproduced",
    "holds in part": "reproduced in part",
    "cannot be checked": "not reproduced",
}


def _in_miniature(
    row: ClaimRow, values: Mapping[str, Value], tables: Mapping[str, Table]
) -> tuple[Miniature | None, str, list[str]]:
    """None until every value that the row names has been measured."""
    named = [*row.miniature_rests_on, *(id for key, id in row.miniature_options.items() if key in VALUE_OPTIONS)]
    if not row.miniature_rule or not named or not all(_matching(id, values) for id in named):
        return None, "", []
    finding = _found(row.miniature_rule, row.miniature_rests_on, row.miniature_options, values, tables)
    if finding.refutes and not finding.supports:
        verdict: Miniature = "opposite"
    else:
        verdict = _IN_MINIATURE[_verdict(finding)]
    return verdict, _sentence(finding), _expand(named, values)


def _sentence(finding: Finding) -> str:
    """The reason in words: what speaks against first, then what for, then what has no number; long lists are cut."""
    if finding.reason:
        return _capital(finding.reason.rstrip(".")) + "."
    missing = f"Not measured: {_listed(finding.unmeasured, 2)}." if finding.unmeasured else ""
    return f"{_measured(finding)} {missing}".strip()


def _measured(finding: Finding) -> str:
    piles = (("Against", finding.refutes, 4), ("Undecided", finding.undecided, 2), ("For", finding.supports, 2))
    filled = [(word, pile, most) for word, pile, most in piles if pile]
    total, good = sum(len(pile) for _, pile, _ in filled), len(finding.supports)
    if not total:
        return ""
    if total == 1:
        return _capital(filled[0][1][0]) + "."
    if good == total:
        start = "Both" if total == 2 else f"All {in_words(total)}"
        return f"{start} hold: {_listed(finding.supports, 3)}."
    start = "None" if not good else _capital(in_words(good))
    count = "Neither holds" if (good, total) == (0, 2) else f"{start} of {in_words(total)} hold{'s' * (good < 2)}"
    return f"{count}. " + " ".join(f"{word}: {_listed(pile, most)}." for word, pile, most in filled)


def _listed(items: Sequence[str], most: int) -> str:
    shown = list(items if len(items) <= most + 1 else items[:most])
    if len(items) > len(shown):
        shown.append(f"and {in_words(len(items) - len(shown))} more")
    return "; ".join(shown)


def _filled(text: str, values: Mapping[str, Value]) -> str:
    def printed(mark: re.Match[str]) -> str:
        value = values[mark[1]]
        return f"{percent(value)} %" if mark[2] else show(value)

    return _MARK.sub(printed, text)


def _in_order(rule: str, patterns: Iterable[str], values: Mapping[str, Value]) -> list[str]:
    """Ids as the rule reads them: one value may stand in several pairs, but once in a list."""
    ids = [id for pattern in patterns for id in _matching(pattern, values)]
    return ids if rule in PAIRED else list(dict.fromkeys(ids))


def _expand(patterns: Iterable[str], values: Mapping[str, Value]) -> list[str]:
    return list(dict.fromkeys(id for pattern in patterns for id in _matching(pattern, values)))


def _matching(pattern: str, values: Mapping[str, Value]) -> list[str]:
    if "*" in pattern:
        return fnmatch.filter(values, pattern)
    return [pattern] if pattern in values else []


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
