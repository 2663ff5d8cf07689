"""What the store knows of a plan's requirements: scores and verdicts by what was asked, failures counted, nothing
loaded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from evidence.interfaces import Score
from evidence.jobs.pictures import open_rgb
from evidence.jobs.plan import Comparison, Participants, PictureFile, PictureSpec, Scoring, Source
from evidence.samples.store import Record, Store, key_of, pixel_digest


@dataclass
class StoredResults:
    """Reads each record once. `truncated` counts, by scorer, prompts that were cut and all that were scored."""

    participants: Participants
    store: Store
    truncated: dict[str, Counter[bool]] = field(default_factory=dict)
    _records: dict[PictureSpec, Record | None] = field(default_factory=dict)
    _pixels: dict[Source, str | None] = field(default_factory=dict)
    _scores: dict[Scoring, Score | None] = field(default_factory=dict)

    def record(self, spec: PictureSpec) -> Record | None:
        """The record of a picture, done or failed; None where it was not tried."""
        if spec not in self._records:
            self._records[spec] = self.store.get(self.participants.key(spec))
        return self._records[spec]

    @property
    def cut(self) -> dict[str, Counter[bool]]:
        """For each generator, pictures whose prompt its text window cut, and the others, as far as they were read."""
        found: dict[str, Counter[bool]] = {}
        for spec, record in self._records.items():
            if record is not None and "truncated" in record.made:
                found.setdefault(spec.model, Counter())[bool(record.made["truncated"])] += 1
        return found

    def pixels(self, source: Source) -> str | None:
        if source not in self._pixels:
            if isinstance(source, PictureFile):
                self._pixels[source] = pixel_digest(open_rgb(source))
            else:
                record = self.record(source)
                done = record is not None and record.status == "done"
                self._pixels[source] = str(record.result["pixels"]) if record and done else None
        return self._pixels[source]

    def score(self, source: Source, scorer: str, prompt: str) -> Score | None:
        """The score, a number or one per label; None where picture or score is missing or failed."""
        scoring = Scoring(source, scorer, prompt)
        if scoring not in self._scores:
            self._scores[scoring] = self._score(scoring)
        return self._scores[scoring]

    def _score(self, scoring: Scoring) -> Score | None:
        pixels = self.pixels(scoring.picture)
        if pixels is None:
            return None
        record = self.store.get(key_of("score", self.participants.score(scoring.scorer, pixels, scoring.prompt)))
        if record is None or record.status != "done":
            return None
        self.truncated.setdefault(scoring.scorer, Counter())[bool(record.result["truncated"])] += 1
        value: Score = record.result["score"]
        return value

    def number(self, source: Source, scorer: str, prompt: str) -> float | None:
        """The score as one number: the sum where there is one per label."""
        value = self.score(source, scorer, prompt)
        return sum(value.values()) if isinstance(value, dict) else value

    def verdict(self, comparison: Comparison) -> int | None:
        """1 for `b`, 0 for `a`, -1 for a tie; None where it is missing or failed."""
        a, b = self.pixels(comparison.a), self.pixels(comparison.b)
        if a is None or b is None:
            return None
        record = self.store.get(key_of("judge", self.participants.verdict(comparison.judge, a, b, comparison.prompt)))
        return int(record.result["verdict"]) if record is not None and record.status == "done" else None
