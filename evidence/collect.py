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

from evidence import protocols, provenance
from evidence.answers import Answers
from evidence.plan import Ask, Cast, Plan, build, ledger_id, reads_prompt
from evidence.protocols import Study
from evidence.protocols.pairs import pairs
from evidence.run import Order, Rows, cast_of, studies
from evidence.store import Record, Store, atomic_write
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
    rows: Rows | None = None,
    exhibits: int = 0,
    pictures: Path | None = None,
) -> Document:
    """The document of all orders of a run. `exhibits`: how many pairs per generator are published as pictures, written
    below `pictures`."""
    found = rows or Rows()
    documents: list[Document] = []
    studied: list[Study] = []
    plans: list[Plan] = []
    commands: list[str] = []
    for order, command in orders:
        cast = cast_of(order, found)
        answers = Answers(cast, store)
        for protocol, study in studies(order, cast, name).items():
            module = protocols.load(protocol)
            documents.append(module.tabulate(study, answers))
            plans.append(build(cast, module.wants(study)))
            studied.append(study)
            if protocol == "pairs" and exhibits and pictures is not None:
                documents.append(_exhibits(study, answers, exhibits, pictures, command))
        documents.append(Document(values=dict(_windows(answers, name))))
        commands.append(command)
    total = merged(documents)
    run = _run(name, plans, studied, store, commands)
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


def _windows(answers: Answers, name: str) -> Iterator[tuple[str, Value]]:
    """The share of prompts that the text window of each generator and of each scorer cut."""
    cast, source = answers.cast, Source(kind="measured", where=f"run-{name}")
    told = [(cast.members[m].row.label, "drawn", m, counts) for m, counts in answers.cut.items()]
    told += [
        (cast.scorers[s].label, "scored", s, counts)
        for s, counts in answers.truncated.items()
        if reads_prompt(cast.scorers[s])
    ]
    for label, what, key, counts in told:
        share, n = counts[True] / counts.total(), counts.total()
        said = f"Share of {what} prompts that the text window of {label} cut"
        value = Value(label=said, value=share, unit="share", digits=3, source=source, n=n)
        yield f"{name}.truncated.{ledger_id(key)}", value


def _run(name: str, plans: list[Plan], studied: list[Study], store: Store, commands: list[str]) -> Run:
    """Provenance, read off the samples themselves."""
    keys = dict.fromkeys(key for plan in plans for key in plan.pictures)
    records = [record for key in keys if (record := store.get(key))]
    made = [record.made for record in records]
    failed = Counter(str(r.result["error"]) for r in records if r.status == "failed")
    told = ", ".join(f"{count} {error}" for error, count in sorted(failed.items()))
    seeds = sorted({int(r.identity["seed"]) for r in records if r.identity["seed"] is not None})
    sets = sorted(
        {f"{s.prompts.name} ({len(s.prompts.rows)} prompts, sha256 {s.prompts.digest[:12]})" for s in studied}
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


def recipe(cast: Cast, ask: Ask, record: Record, command: str = "") -> Recipe:
    """What determined a picture, and where and when it was made."""
    settings = dict(record.identity["settings"])
    apart = {name: settings.pop(name, None) for name in ("steps", "guidance", "dtype")}
    weights = {k: record.identity[k] for k in ("transformer", "lora") if record.identity[k]}
    if record.identity["lora"]:
        weights["lora_scale"] = record.identity["lora_scale"]
    negative = {"negative_prompt": ask.negative} if ask.negative else {}
    unseeded = cast.members[ask.model].row.remote and not settings.get("seeded")  # such a service is sent no seed
    return Recipe(
        model=record.identity["weights"],
        revision=record.identity["revision"],
        adapter=record.identity["adapter"],
        seed=None if unseeded else ask.seed,
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


def _exhibits(study: Study, answers: Answers, count: int, folder: Path, command: str) -> Document:
    """The first pairs of each generator, chosen by their order in the prompt set and not by their scores."""
    found: dict[str, Exhibit] = {}
    for member in study.cast.members.values():
        for prompt, original, distorted in next(iter(pairs(study, member)))[:count]:
            shown = [
                picture
                for ask, text, id_ in ((original, prompt.plain, "original"), (distorted, prompt.wide, "distorted"))
                if (picture := _picture(study, answers, ask, text, id_, folder, command))
            ]
            if len(shown) == 2:
                found[f"{study.name}.{member.id}.{ledger_id(prompt.id)}"] = Exhibit(
                    title=f"{member.row.label}: {prompt.plain}",
                    kind="pair",
                    caption="Made from the plain prompt and from the wide-spectrum prompt, with the same seed.",
                    credit=member.row.label,
                    licence=member.row.licence or "unknown",
                    pictures=shown,
                    tags=prompt.tags,
                    sets=["measured", study.name],
                )
    return Document(exhibits=found)


def _picture(
    study: Study, answers: Answers, ask: Ask, text: str, id_: str, folder: Path, command: str
) -> Picture | None:
    record = answers.record(ask)
    if record is None or record.status != "done":
        return None
    file, digest, width, height = publish(answers.store.picture(record.key), folder)
    scores = {}
    for scorer, row in study.cast.scorers.items():
        if (value := answers.number(ask, scorer, text)) is not None and reads_prompt(row):
            scores[ledger_id(scorer)] = Value(
                label=f"{row.label} of this picture under its own prompt",
                value=value,
                unit="points",
                digits=3,
                source=Source(kind="measured", where=study.run),
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
        recipe=recipe(study.cast, ask, record, command),
    )


def write(document: Document, path: Path) -> None:
    """Atomically, and only what the ledger can read back."""
    text = document.model_dump_json(indent=1, exclude_defaults=True)
    Document.model_validate_json(text)
    atomic_write(path, text.encode() + b"\n")
