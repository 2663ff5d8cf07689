"""Scoring pictures, the same for every engine: scorers that stay loaded, and one record for each score."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evidence import scorers
from evidence.interfaces import Scorer
from evidence.jobs.pictures import finished, open_picture, open_rgb, pixels_of, sources, today
from evidence.jobs.plan import PictureFile, Plan, Source
from evidence.samples.identity import key_of, reads_prompt
from evidence.samples.provenance import made_here
from evidence.samples.store import SampleDamaged, Store

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class ScoreJob:
    """One picture under one prompt; `identity` is that of the score."""

    key: str
    identity: Mapping[str, Any]
    image: Image
    prompt: str


def score(name: str, scorer: Scorer, jobs: Sequence[ScoreJob], reads: bool, store: Store, made: dict[str, Any]) -> None:
    """Scores every job in one call, one record each; one by one where the call fails as a whole."""
    if not jobs:
        return
    started = time.perf_counter()
    told = {**made, "scorer": name, "attempts": 1, "date": today()}
    prompts = [job.prompt for job in jobs]
    try:
        values = scorer.score([job.image for job in jobs], prompts)
        cut = scorer.truncated(prompts) if reads else [False] * len(jobs)
    except Exception as error:
        if len(jobs) == 1:
            store.fail(jobs[0].key, "score", jobs[0].identity, error, told)
            return
        for job in jobs:
            score(name, scorer, [job], reads, store, made)
        return
    told["seconds"] = round((time.perf_counter() - started) / len(jobs), 4)
    for job, value, truncated in zip(jobs, values, cut, strict=True):
        store.put(job.key, "score", job.identity, {"score": value, "truncated": truncated}, told)


# Loading a model changes defaults of the whole process (dtype, device, initialisers), so nothing may compute meanwhile:
# whoever loads and whoever scores on another thread takes this lock.
LOADING = threading.RLock()


class ScorerPool:
    """Scorers that are loaded. `prepare` loads those that will be needed; one thread at a time may `score`.

    `unavailable` is called once for a scorer that cannot be loaded; its scores are then missing."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        device: str,
        retry_failed: bool,
        names: Sequence[str],
        unavailable: Callable[[str, Exception], None],
        load: Callable[..., Scorer] = scorers.load,
    ) -> None:
        self.plan, self.store, self.device, self.retry_failed = plan, store, device, retry_failed
        self.names, self.unavailable, self._load = names, unavailable, load
        self.loaded: dict[str, Scorer | None] = {}
        self.sources = sources(plan)

    def prepare(self) -> None:
        """Loads every scorer that has something to do, or may have once pictures are made."""
        for reference, wanted in self.plan.scorings.items():
            pixels = pixels_of(self.sources[reference], reference, self.store)
            for name, prompt in wanted:
                if name in self.names and name not in self.loaded:
                    key = key_of("score", self.plan.participants.score(name, pixels, prompt)) if pixels else None
                    if key is None or not finished(self.store, key, self.retry_failed):
                        self._scorer(name)

    def score(self, references: Sequence[str]) -> int:
        """All scores that are due for some pictures, none where a picture was not made; how many were asked for."""
        with LOADING:
            return self._score(references)

    def _score(self, references: Sequence[str]) -> int:
        due: dict[str, list[ScoreJob]] = {}
        asked = 0
        for reference in references:
            wanted = [pair for pair in self.plan.scorings.get(reference, ()) if pair[0] in self.names]
            asked += len(wanted)
            for name, job in self._due(reference, wanted):
                due.setdefault(name, []).append(job)
        for name, jobs in due.items():
            if (scorer := self._scorer(name)) is not None:
                reads = reads_prompt(self.plan.participants.scorers[name])
                score(name, scorer, jobs, reads, self.store, made_here(self.device))
        return asked

    def _due(self, reference: str, wanted: Sequence[tuple[str, str]]) -> Iterator[tuple[str, ScoreJob]]:
        source = self.sources[reference]
        pixels = pixels_of(source, reference, self.store) if wanted else None
        if pixels is None:
            self._tell_unreadable(source, wanted)
            return
        image: Image | None = None
        for name, prompt in wanted:
            identity = self.plan.participants.score(name, pixels, prompt)
            key = key_of("score", identity)
            if self.loaded.get(name, ...) is None or finished(self.store, key, self.retry_failed):
                continue
            try:
                image = image or open_picture(source, reference, self.store)
            except (SampleDamaged, KeyError) as damage:  # costs this picture its scores, until it is made again
                told = {**made_here(self.device), "scorer": name, "attempts": 1, "date": today()}
                self.store.fail(key, "score", identity, damage, told)
                continue
            yield name, ScoreJob(key, identity, image, prompt)

    def _tell_unreadable(self, source: Source, wanted: Sequence[tuple[str, str]]) -> None:
        if wanted and isinstance(source, PictureFile):
            try:
                open_rgb(source)
            except ValueError as error:
                self.unavailable(source.path.name, error)

    def _scorer(self, name: str) -> Scorer | None:
        if name not in self.loaded:
            try:
                with LOADING:
                    self.loaded[name] = self._load(self.plan.participants.scorers[name], self.device)
            except Exception as error:
                self.loaded[name] = None
                self.unavailable(name, error)
        return self.loaded[name]
