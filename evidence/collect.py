"""Samples -> `results/<name>.json`: values, tables, exhibits and the provenance of the run they come from.

Pictures are published as small WebP renditions named by the hash of their bytes, with the sha256 of the lossless
original that the recipe reproduces. The document is checked by the ledger's own types before it is written.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evidence import protocols
from evidence.cards import Cards
from evidence.jobs.plan import Participants, PictureSpec, Plan, build, ledger_id, reads_prompt
from evidence.order import Order
from evidence.order.resolve import experiments, participants_of
from evidence.protocols import Experiment
from evidence.protocols.pairs import pairs
from evidence.samples import provenance
from evidence.samples.store import Record, Store, atomic_write
from evidence.samples.stored_results import StoredResults
from ledger.schema import Document, Exhibit, Picture, Recipe, Run, Source, Value

if TYPE_CHECKING:
    from PIL.Image import Image

RENDITION = 512  # longest side in pixels
QUALITY = 80  # of WebP


def collect(
    orders: Iterable[tuple[Order, str]],
    name: str,
    store: Store,
    *,
    cards: Cards | None = None,
    exhibits: int = 0,
    pictures: Path | None = None,
) -> Document:
    """The document of all orders of a run. `exhibits`: how many pairs per generator are published as pictures, written
    below `pictures`."""
    found = cards or Cards()
    documents: list[Document] = []
    examined: list[Experiment] = []
    plans: list[Plan] = []
    commands: list[str] = []
    for order, command in orders:
        participants = participants_of(order, found)
        stored = StoredResults(participants, store)
        for protocol, experiment in experiments(order, participants, name).items():
            module = protocols.load(protocol)
            documents.append(module.tabulate(experiment, stored))
            plans.append(build(participants, module.requirements(experiment)))
            examined.append(experiment)
            if protocol == "pairs" and exhibits and pictures is not None:
                documents.append(_exhibits(experiment, stored, exhibits, pictures, command))
        documents.append(Document(values=dict(_windows(stored, name))))
        commands.append(command)
    total = merged(documents)
    run = _run(name, plans, examined, store, commands)
    return Document(values=total.values, tables=total.tables, exhibits=total.exhibits, runs={f"run-{name}": run})


def merged(documents: Iterable[Document]) -> Document:
    """All values, tables and exhibits; where two orders give the same id, the one with more samples stays."""
    values: dict[str, Value] = {}
    tables: dict[str, Any] = {}
    exhibits: dict[str, Exhibit] = {}
    for document in documents:
        for key, value in document.values.items():
            if key not in values or (value.n or 0) >= (values[key].n or 0):
                values[key] = value
        for key, table in document.tables.items():
            tables[key] = _widened(tables[key], table) if key in tables else table
        exhibits |= document.exhibits
    return Document(values=values, tables=tables, exhibits=exhibits)


def _widened(first: Any, second: Any) -> Any:
    """One table with the rows and columns of both."""
    rows = {row.id: row for row in [*first.rows, *second.rows]}
    columns = {column.id: column for column in [*first.columns, *second.columns]}
    return second.model_copy(update={"rows": list(rows.values()), "columns": list(columns.values())})


def _windows(stored: StoredResults, name: str) -> Iterator[tuple[str, Value]]:
    """The share of prompts that the text window of each generator and of each scorer cut."""
    participants, source = stored.participants, Source(kind="measured", where=f"run-{name}")
    told = [(participants.models[m].card.label, "drawn", m, counts) for m, counts in stored.cut.items()]
    told += [
        (participants.scorers[s].label, "scored", s, counts)
        for s, counts in stored.truncated.items()
        if reads_prompt(participants.scorers[s])
    ]
    for label, what, key, counts in told:
        share, n = counts[True] / counts.total(), counts.total()
        said = f"Share of {what} prompts that the text window of {label} cut"
        value = Value(label=said, value=share, unit="share", digits=3, source=source, n=n)
        yield f"{name}.truncated.{ledger_id(key)}", value


def _run(name: str, plans: list[Plan], examined: list[Experiment], store: Store, commands: list[str]) -> Run:
    """Provenance, read off the samples themselves."""
    keys = dict.fromkeys(key for plan in plans for key in plan.pictures)
    records = [record for key in keys if (record := store.get(key))]
    made = [record.made for record in records]
    failed = Counter(str(r.result["error"]) for r in records if r.status == "failed")
    told = ", ".join(f"{count} {error}" for error, count in sorted(failed.items()))
    seeds = sorted({int(r.identity["seed"]) for r in records if r.identity["seed"] is not None})
    sets = sorted(
        {f"{s.prompts.name} ({len(s.prompts.rows)} prompts, sha256 {s.prompts.digest[:12]})" for s in examined}
    )
    note = f"{len(records)} of {len(keys)} pictures tried; failed: {told or 'none'}. Prompts: {'; '.join(sets)}."
    return Run(
        title=f"Measured run {name}",
        date=max((str(one["date"]) for one in made), default=""),
        command="; ".join(dict.fromkeys(commands)),
        code=", ".join(sorted({str(one["commit"]) for one in made})) or provenance.commit(),
        hardware=", ".join(sorted({str(one["hardware"]) for one in made})),
        software=_versions(made),
        seeds=seeds if len(seeds) <= 20 else [],
        seconds=round(sum(float(one.get("seconds", 0)) for one in made), 1),
        note=note + ("" if len(seeds) <= 20 else f" {len(seeds)} seeds, one per prompt and repeat (see the recipes)."),
    )


def _versions(made: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for one in made:
        for library, version in one["software"].items():
            found.setdefault(library, set()).add(version)
    return {library: ", ".join(sorted(versions)) for library, versions in sorted(found.items())}


def recipe(participants: Participants, spec: PictureSpec, record: Record, command: str = "") -> Recipe:
    """What determined a picture, and where and when it was made."""
    settings = dict(record.identity["settings"])
    apart = {name: settings.pop(name, None) for name in ("steps", "guidance", "dtype")}
    weights = {k: record.identity[k] for k in ("transformer", "lora") if record.identity[k]}
    if record.identity["lora"]:
        weights["lora_scale"] = record.identity["lora_scale"]
    negative = {"negative_prompt": spec.negative} if spec.negative else {}
    unseeded = participants.models[spec.model].card.remote and not settings.get(
        "seeded"
    )  # such a service is sent no seed
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


def publish(image: Image, folder: Path, longest: int = RENDITION) -> tuple[str, str, int, int]:
    """Writes a WebP rendition; returns file name, sha256, width and height."""
    small = image.convert("RGB")
    small.thumbnail((longest, longest))
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=QUALITY, method=6)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    name = f"{digest[:20]}.webp"
    if not (folder / name).exists():
        atomic_write(folder / name, buffer.getvalue())
    return name, digest, small.width, small.height


def _exhibits(experiment: Experiment, stored: StoredResults, count: int, folder: Path, command: str) -> Document:
    """The first pairs of each generator, chosen by their order in the prompt set and not by their scores."""
    found: dict[str, Exhibit] = {}
    for model in experiment.participants.models.values():
        for prompt, original, distorted in next(iter(pairs(experiment, model)))[:count]:
            shown = [
                picture
                for spec, text, id_ in ((original, prompt.plain, "original"), (distorted, prompt.wide, "distorted"))
                if (picture := _picture(experiment, stored, spec, text, id_, folder, command))
            ]
            if len(shown) == 2:
                found[f"{experiment.name}.{model.id}.{ledger_id(prompt.id)}"] = Exhibit(
                    title=f"{model.card.label}: {prompt.plain}",
                    kind="pair",
                    caption="Made from the plain prompt and from the wide-spectrum prompt, with the same seed.",
                    credit=model.card.label,
                    licence=model.card.licence or "unknown",
                    pictures=shown,
                    tags=prompt.tags,
                    sets=["measured", experiment.name],
                )
    return Document(exhibits=found)


def _picture(
    experiment: Experiment, stored: StoredResults, spec: PictureSpec, text: str, id_: str, folder: Path, command: str
) -> Picture | None:
    record = stored.record(spec)
    if record is None or record.status != "done":
        return None
    file, digest, width, height = publish(stored.store.picture(record.key), folder)
    scores = {}
    for scorer, row in experiment.participants.scorers.items():
        if (value := stored.number(spec, scorer, text)) is not None and reads_prompt(row):
            scores[ledger_id(scorer)] = Value(
                label=f"{row.label} of this picture under its own prompt",
                value=value,
                unit="points",
                digits=3,
                source=Source(kind="measured", where=experiment.run),
                n=1,
            )
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
        scores=scores,
        recipe=recipe(experiment.participants, spec, record, command),
    )


def write(document: Document, path: Path) -> None:
    """Atomically, and only what the ledger can read back."""
    text = document.model_dump_json(indent=1, exclude_defaults=True)
    Document.model_validate_json(text)
    atomic_write(path, text.encode() + b"\n")
