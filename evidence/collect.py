"""Samples -> `results/rows/NAME.csv.gz` and `results/NAME.json`: rows, and the values, tables and exhibits made of
them.

Every observation of every order of the run is a row; every value is a measure of those rows (`ledger.measures`), stored
with it, so that anybody can compute it again. Orders that agree in protocol, prompt set, profile and options fill one
table together; those that do not have tables of their own. The document is checked by the ledger's own types before
anything is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from evidence import export, protocols
from evidence.cards import Cards
from evidence.cards.models import CONTROLLED
from evidence.exhibits import Publisher
from evidence.jobs.plan import Participants, build, ledger_id
from evidence.jobs.stored_results import StoredResults
from evidence.order import Order
from evidence.order.resolve import distinct, experiments, participants_of
from evidence.protocols import Experiment
from evidence.protocols.tables import Measuring
from evidence.samples import provenance
from evidence.samples.store import Record, Store
from ledger import rows as row_files
from ledger.files import replace_bytes
from ledger.rows import Row, Rows
from ledger.schema import Document, Run, Value

Say = Callable[[str], None]


@dataclass
class Part:
    """Experiments whose observations stand in one table, and the rows of them all."""

    protocol: str
    experiment: Experiment
    rows: list[Row] = field(default_factory=list)

    def add(self, other: Experiment) -> None:
        """Takes another order's participants, prompts and seeds in."""
        own, new = self.experiment.participants, other.participants
        participants = Participants(
            {**own.models, **new.models}, {**own.scorers, **new.scorers}, {**own.judges, **new.judges}, own.profile
        )
        longer = max(self.experiment.prompts, other.prompts, key=lambda prompts: len(prompts.rows))
        seeds = tuple(dict.fromkeys([*self.experiment.seeds, *other.seeds]))
        self.experiment = replace(self.experiment, participants=participants, prompts=longer, seeds=seeds)


class Collected(NamedTuple):
    """A document of the ledger, the rows behind its values, and its pictures by file name."""

    document: Document
    rows: list[Row]
    pictures: dict[str, bytes]


def collect(
    orders: Iterable[tuple[Order, str]],
    name: str,
    store: Store,
    *,
    cards: Cards | None = None,
    exhibits: int = 0,
    say: Say = lambda line: None,
) -> Collected:
    """Everything that a run says. `exhibits`: how many pairs per generator are published as pictures."""
    told = list(orders)
    command = "; ".join(dict.fromkeys(command for _, command in told))
    parts, documents, files = _parts(told, name, store, cards or Cards()), list[Document](), dict[str, bytes]()
    rows = export.union(row for part in parts for row in part.rows)
    table = Rows(tuple(rows))
    for part, prefix in zip(parts, prefixes(parts, name), strict=True):
        experiment = replace(part.experiment, name=prefix, run_name=name)
        distinct(experiment.participants)
        stored = StoredResults(experiment.participants, store)
        documents.append(protocols.load(part.protocol).tabulate(experiment, table))
        documents.append(Document(values=dict(_windows(Measuring(experiment, table)))))
        if part.protocol == "pairs" and exhibits:
            publisher = Publisher(experiment, stored, command, say, files)
            documents.append(publisher.exhibits(exhibits))
    run = _run(name, parts, store, command)
    for line in store.damaged:
        say(line)
    return Collected(merged(documents).model_copy(update={"runs": {f"run-{name}": run}}), rows, files)


def _parts(orders: Sequence[tuple[Order, str]], name: str, store: Store, cards: Cards) -> list[Part]:
    found: dict[tuple[object, ...], Part] = {}
    for order, _ in orders:
        participants = participants_of(order, cards)
        stored = StoredResults(participants, store)
        for protocol, experiment in experiments(order, participants, name).items():
            options = tuple(sorted(experiment.options.items()))
            key = protocol, experiment.prompt_set, participants.profile, options
            part = found.setdefault(key, Part(protocol, experiment))
            part.add(experiment)
            observations = list(protocols.load(protocol).observations(experiment))
            part.rows += export.rows(experiment, stored, observations)
            part.rows += export.windows(experiment, stored, observations)
    return list(found.values())


def prefixes(parts: Sequence[Part], name: str) -> list[str]:
    """What the ids of each part begin with: the run's name, and whatever departs from the defaults."""
    plain = []
    for part in parts:
        experiment = part.experiment
        words = [name]
        if experiment.prompts.name != protocols.load(part.protocol).PROMPTS:
            words.append(experiment.prompts.name)
        if experiment.participants.profile != CONTROLLED:
            words.append(experiment.participants.profile)
        words += [f"{key}-{value}" for key, value in sorted(experiment.options.items())]
        plain.append(ledger_id("-".join(words)))
    twice = Counter(zip((part.protocol for part in parts), plain, strict=True))
    return [
        f"{prefix}-{part.experiment.prompts.whole[:8]}" if twice[part.protocol, prefix] > 1 else prefix
        for part, prefix in zip(parts, plain, strict=True)
    ]


def merged(documents: Iterable[Document]) -> Document:
    whole = Document()
    for one in documents:
        whole = Document(
            values={**whole.values, **one.values},
            tables={**whole.tables, **one.tables},
            exhibits={**whole.exhibits, **one.exhibits},
        )
    return whole


def _windows(measuring: Measuring) -> Iterator[tuple[str, Value]]:
    """The share of prompts that the text window of each generator and of each scorer cut, plain and wide apart."""
    participants = measuring.experiment.participants
    labels = {m.name: m.card.label for m in participants.models.values()}
    labels |= {name: card.label for name, card in participants.scorers.items()}
    for row, label in labels.items():
        for kind in ("plain", "wide"):
            cut = measuring.of(row, export.WINDOW, "cut", kind=kind, above=0.0)
            said = f"Share of {kind} prompts that the text window of {label} cut"
            value = measuring.value(said, "share", cut, unit="share")
            if value.n:
                yield f"{measuring.experiment.name}.truncated.{ledger_id(row)}.{kind}", value


def _run(name: str, parts: Sequence[Part], store: Store, command: str) -> Run:
    """Provenance, read off the samples themselves."""
    keys: dict[str, None] = {}
    for part in parts:
        wanted = protocols.requirements(protocols.load(part.protocol), part.experiment)
        keys |= dict.fromkeys(build(part.experiment.participants, wanted).pictures)
    records = [record for key in keys if (record := store.get(key))]
    made = [record.made for record in records]
    seeds = sorted({int(r.identity["seed"]) for r in records if r.identity["seed"] is not None})
    few = len(seeds) <= 20
    return Run(
        title=f"Measured run {name}",
        date=max((str(one["date"]) for one in made), default=""),
        command=command,
        code=", ".join(sorted({str(one["commit"]) for one in made})) or provenance.commit(),
        hardware=", ".join(sorted({str(one["hardware"]) for one in made})),
        software=_versions(made),
        seeds=seeds if few else [],
        seconds=round(sum(float(one.get("seconds", 0)) for one in made), 1),
        note=_note(records, len(keys), [part.experiment for part in parts])
        + ("" if few else f" {len(seeds)} seeds, one per prompt and repeat (see the recipes)."),
    )


def _note(records: Sequence[Record], wanted: int, examined: Sequence[Experiment]) -> str:
    failed = Counter(str(r.result["error"]) for r in records if r.status == "failed")
    told = ", ".join(f"{count} {error}" for error, count in sorted(failed.items()))
    sets = {f"{s.prompts.name} ({len(s.prompts.rows)} prompts, sha256 {s.prompts.digest[:12]})" for s in examined}
    return f"{len(records)} of {wanted} pictures tried; failed: {told or 'none'}. Prompts: {'; '.join(sorted(sets))}."


def _versions(made: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for one in made:
        for library, version in one["software"].items():
            found.setdefault(library, set()).add(version)
    return {library: ", ".join(sorted(versions)) for library, versions in sorted(found.items())}


def write(found: Collected, path: Path, name: str) -> None:
    """Pictures and rows first, then the document that quotes them; each whole or not at all, and only what can be read
    back."""
    text = found.document.model_dump_json(indent=1, exclude_defaults=True)
    Document.model_validate_json(text)
    for file, content in found.pictures.items():
        if not (target := path.parent / "pictures" / file).exists():
            replace_bytes(target, content)
    row_files.write(path.parent / row_files.FOLDER / f"{name}.csv.gz", found.rows)
    replace_bytes(path, text.encode() + b"\n")
