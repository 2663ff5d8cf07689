"""Exhibits of a run: the first pairs of each generator, published as small WebP renditions named by the hash of their
bytes, with the sha256 of the lossless original that the recipe reproduces."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evidence.jobs.plan import ConfiguredModel, Participants, PictureSpec, ledger_id
from evidence.jobs.stored_results import StoredResults
from evidence.prompts import Prompt
from evidence.protocols import Experiment
from evidence.protocols.pairs import pairs
from evidence.samples.identity import reads_prompt
from evidence.samples.store import Record, SampleDamaged
from ledger.schema import Document, Exhibit, Picture, Recipe, Source, Value

if TYPE_CHECKING:
    from PIL.Image import Image

RENDITION = 512  # longest side in pixels
QUALITY = 80  # of WebP


def recipe(participants: Participants, spec: PictureSpec, record: Record, command: str = "") -> Recipe:
    """What determined a picture, and where and when it was made."""
    settings = dict(record.identity["settings"])
    apart = {name: settings.pop(name, None) for name in ("steps", "guidance", "dtype")}
    weights = {k: record.identity[k] for k in ("transformer", "lora") if record.identity[k]}
    if record.identity["lora"]:
        weights["lora_scale"] = record.identity["lora_scale"]
    negative = {"negative_prompt": spec.negative} if spec.negative else {}
    service = participants.models[spec.model].card.remote
    unseeded = service and not settings.get("seeded")  # such a service is sent no seed
    return Recipe(
        model=record.identity["weights"],
        revision=record.identity["revision"],
        adapter=record.identity["adapter"],
        seed=None if unseeded else spec.seed,
        steps=apart["steps"],
        guidance=apart["guidance"],
        settings=settings | weights | negative,
        dtype=str(apart["dtype"] or ""),
        device=f"{record.made['device']} ({record.made['hardware']})",
        code=f"{record.identity['code']} ({record.made['commit']})",
        date=record.made["date"],
        command=command,
    )


def rendition(image: Image, longest: int = RENDITION) -> tuple[bytes, int, int]:
    """WebP bytes, width and height of a small version."""
    small = image.convert("RGB")
    small.thumbnail((longest, longest))
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=QUALITY, method=6)
    return buffer.getvalue(), small.width, small.height


@dataclass
class Publisher:
    """Builds exhibits; `files` are the pictures to write, by name."""

    experiment: Experiment
    stored: StoredResults
    command: str
    say: Callable[[str], None]
    files: dict[str, bytes] = field(default_factory=dict)

    def exhibits(self, count: int) -> Document:
        """The first pairs of each generator, chosen by their order in the prompt set and not by their scores."""
        found: dict[str, Exhibit] = {}
        for model in self.experiment.participants.models.values():
            for prompt, original, distorted in next(iter(pairs(self.experiment, model)))[:count]:
                sides = ((original, prompt.plain, "original"), (distorted, prompt.wide, "distorted"))
                shown = [picture for side in sides if (picture := self._picture(*side))]
                if len(shown) == len(sides):
                    key = f"{self.experiment.name}.{model.id}.{prompt.id}"
                    found[key] = self._exhibit(model, prompt, shown)
        return Document(exhibits=found)

    def _exhibit(self, model: ConfiguredModel, prompt: Prompt, shown: list[Picture]) -> Exhibit:
        return Exhibit(
            title=f"{model.card.label}: {prompt.plain}",
            kind="pair",
            caption="Made from the plain prompt and from the wide-spectrum prompt, with the same seed.",
            credit=model.card.label,
            licence=model.card.licence or "unknown",
            pictures=shown,
            tags=prompt.tags,
            sets=["measured", self.experiment.name],
        )

    def _picture(self, spec: PictureSpec, text: str, id_: str) -> Picture | None:
        record = self.stored.record(spec)
        if record is None or record.status != "done":
            return None
        try:
            content, width, height = rendition(self.stored.store.picture(record.key))
        except SampleDamaged as damage:
            self.say(str(damage))
            return None
        digest = hashlib.sha256(content).hexdigest()
        file = f"{digest[:20]}.webp"
        self.files[file] = content
        return Picture(
            id=id_,
            label="plain prompt" if id_ == "original" else "wide-spectrum prompt",
            alt=f"Generated picture for: {text}",
            file=file,
            sha256=digest,
            original_sha256=record.result["file"],
            width=width,
            height=height,
            prompt=text,
            scores=dict(self._scores(spec, text)),
            recipe=recipe(self.experiment.participants, spec, record, self.command),
        )

    def _scores(self, spec: PictureSpec, text: str) -> Iterator[tuple[str, Value]]:
        for scorer, card in self.experiment.participants.scorers.items():
            value = self.stored.number(spec, scorer, text) if reads_prompt(card) else None
            if value is not None:
                label = f"{card.label} of this picture under its own prompt"
                source = Source(kind="measured", where=self.experiment.run)
                yield ledger_id(scorer), Value(label=label, value=value, unit="points", digits=3, source=source, n=1)
