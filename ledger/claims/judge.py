"""Claims judged: a rule sorts the values into evidence for, against and for neither, and the verdict follows.

A value without a number takes no part: it is named in the reason and lowers no verdict. A second setting is judged by
the same rules in the same way; only its verdict is worded for a repetition.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ledger.claims.read import ClaimRow, Criterion, Known, in_order
from ledger.claims.rules import RULES, Finding, Ref, Rule, pairs_of
from ledger.claims.wording import capital, filled, lowered, names_in, sentence
from ledger.schema import Claim, Repetition, SecondVerdict, Table, Verdict

_REPEATED: dict[Verdict, Repetition] = {
    "holds": "reproduced",
    "holds in part": "reproduced in part",
    "contradicted": "opposite",
    "cannot be checked": "not reproduced",
}


def judge_claims(rows: Iterable[ClaimRow], known: Known) -> dict[str, Claim]:
    """Every claim with its verdict and the reason in words. `rows` must have passed `check_claims`."""
    judge = _Judge(known)
    return {row.id: judge.claim(row) for row in rows}


def verdict_of(finding: Finding) -> Verdict:
    if not finding.supports and not finding.refutes:
        return "cannot be checked"
    if not finding.supports:
        return "contradicted"
    return "holds in part" if finding.refutes or finding.undecided else "holds"


class _Judge:
    """Looks values up by id, as the rules read them."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.names = names_in(value.label for value in known.values.values())

    def claim(self, row: ClaimRow) -> Claim:
        finding = self.found(row)
        because = _reason(finding) + (f" {row.note}" if row.note else "")
        return Claim(
            sentence=filled(row.sentence, self.known.values),
            sentence_marked=row.sentence,
            where=filled(row.where, self.known.values),
            section=row.section,
            weight=row.weight,
            rests_on=self.rests_on(row),
            verdict=verdict_of(finding),
            because=filled(because, self.known.values),
            because_marked=because,
            second=self.second(row),
        )

    def second(self, row: ClaimRow) -> SecondVerdict | None:
        if row.second is None:
            return None
        finding = self.found(row.second)
        because = _reason(finding)
        return SecondVerdict(
            setting=row.second.name,
            verdict=_REPEATED[verdict_of(finding)],
            because=filled(because, self.known.values),
            because_marked=because,
            rests_on=self.rests_on(row.second),
        )

    def found(self, criterion: Criterion) -> Finding:
        """What the rule makes of the values that have a number."""
        rule = RULES[criterion.rule]
        refs = [self.ref(id) for id in in_order(rule, criterion.rests_on, self.known.values)]
        options = {name: self.option(rule.options[name], text) for name, text in criterion.options.items()}
        bounds = [option for option in options.values() if isinstance(option, Ref)]
        known, pending = _split_pending(rule, refs)
        unmeasured = [*pending, *(bound for bound in bounds if bound.value.value is None)]
        decidable = len(known) >= rule.at_least and len(unmeasured) == len(pending)
        finding = rule.apply(known, **options) if decidable else Finding()
        finding.unmeasured += dict.fromkeys(f"no number yet for {ref.label}" for ref in unmeasured)
        return finding

    def option(self, kind: type, text: str) -> Ref | Table | str:
        if kind is Ref:
            return self.ref(text)
        return self.known.tables[text] if kind is Table else text

    def ref(self, id: str) -> Ref:
        value = self.known.values[id]
        counterpart = value.agrees_with
        label = lowered(value.label, self.names)
        return Ref(id, value, label, Ref(counterpart, self.known.values[counterpart], "") if counterpart else None)

    def rests_on(self, criterion: Criterion) -> list[str]:
        rule = RULES[criterion.rule]
        options = [text for name, text in criterion.options.items() if rule.options[name] is Ref]
        return list(dict.fromkeys([*in_order(rule, criterion.rests_on, self.known.values), *options]))


def _split_pending(rule: Rule, refs: Sequence[Ref]) -> tuple[list[Ref], list[Ref]]:
    """Values with a number, and those without. Rules that read two by two lose the whole pair."""
    pending = [ref for ref in refs if ref.value.value is None]
    if rule.paired:
        whole = [pair for pair in pairs_of(refs) if all(ref.value.value is not None for ref in pair)]
        return [side for pair in whole for side in pair], pending
    if rule.leads and refs[0].value.value is None:
        return [], pending
    return [ref for ref in refs if ref.value.value is not None], pending


def _reason(finding: Finding) -> str:
    if finding.reason:
        return capital(finding.reason.rstrip(".")) + "."
    return sentence(finding.supports, finding.refutes, finding.undecided, finding.unmeasured)
