"""What the store knows of a plan's wants: scores and verdicts by what was asked, failures counted, nothing loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from evidence.interfaces import Score
from evidence.jobs.pictures import given_pixels
from evidence.jobs.plan import Comparison, Participants, PictureFile, PictureSpec, Scoring, Source
from evidence.samples.identity import key_of, reads_prompt
from evidence.samples.store import Record, Store


class Outcome(NamedTuple):
    """What became of a score or verdict. `sample` is the key of the picture it is about, where there is one."""

    status: Literal["scored", "failed", "not_run"]
    score: Score | None = None
    sample: str = ""


@dataclass
class StoredResults:
    """Reads each record once."""

    participants: Participants
    store: Store
    _records: dict[PictureSpec, Record | None] = field(default_factory=dict)
    _pixels: dict[Source, str | None] = field(default_factory=dict)
    _outcomes: dict[Scoring | Comparison, Outcome] = field(default_factory=dict)
    _cut: dict[tuple[str, str], bool] = field(default_factory=dict)

    def record(self, spec: PictureSpec) -> Record | None:
        """The record of a picture, done or failed; None where it was not tried."""
        if spec not in self._records:
            self._records[spec] = self.store.get(self.participants.key(spec))
        return self._records[spec]

    def pixels(self, source: Source) -> str | None:
        if source not in self._pixels:
            if isinstance(source, PictureFile):
                self._pixels[source] = given_pixels(source)
            else:
                record = self.record(source)
                done = record is not None and record.status == "done"
                self._pixels[source] = str(record.result["pixels"]) if record and done else None
        return self._pixels[source]

    def outcome(self, what: Scoring | Comparison) -> Outcome:
        """A score, a number or one per label; or a verdict: 1 for `b`, 0 for `a`, -1 for a tie."""
        if what not in self._outcomes:
            self._outcomes[what] = self._scored(what) if isinstance(what, Scoring) else self._judged(what)
        return self._outcomes[what]

    def _scored(self, scoring: Scoring) -> Outcome:
        sample, lost = self._drawn(scoring.picture)
        if lost:
            return lost
        identity = self.participants.score(scoring.scorer, str(self.pixels(scoring.picture)), scoring.prompt)
        record = self.store.get(key_of("score", identity))
        if record is not None and record.status == "done":
            self._cut[scoring.scorer, scoring.prompt] = bool(record.result["truncated"])
        return _outcome(record, "score", sample)

    def cut(self, scoring: Scoring) -> bool | None:
        """Whether the scorer's text window cut the prompt; None where nothing was scored or nothing is read."""
        self.outcome(scoring)
        reads = reads_prompt(self.participants.scorers[scoring.scorer])
        return self._cut.get((scoring.scorer, scoring.prompt)) if reads else None

    def _judged(self, one: Comparison) -> Outcome:
        for source in (one.a, one.b):
            sample, lost = self._drawn(source)
            if lost:
                return lost
        a, b = str(self.pixels(one.a)), str(self.pixels(one.b))
        identity = self.participants.verdict(one.judge, a, b, one.prompt)
        return _outcome(self.store.get(key_of("judge", identity)), "verdict", sample)

    def _drawn(self, source: Source) -> tuple[str, Outcome | None]:
        """Key of a picture, and what became of what is about it where it was not made."""
        if isinstance(source, PictureFile):
            key = self.participants.reference(source) or ""
            return key, None if self.pixels(source) else Outcome("failed", None, key)
        record = self.record(source)
        if record is None:
            return "", Outcome("not_run")
        return record.key, None if record.status == "done" else Outcome("failed", None, record.key)

    def number(self, source: Source, scorer: str, prompt: str) -> float | None:
        """The score as one number, the sum where there is one per label; None where it is missing or failed."""
        value = self.outcome(Scoring(source, scorer, prompt)).score
        return sum(value.values()) if isinstance(value, dict) else value


def _outcome(record: Record | None, name: str, sample: str) -> Outcome:
    if record is None:
        return Outcome("not_run", None, sample)
    if record.status == "failed":
        return Outcome("failed", None, sample)
    return Outcome("scored", record.result[name], sample)
