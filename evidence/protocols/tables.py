"""Tables under construction: cells are measures of rows, evaluated by `ledger.measures` and stored with their value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from evidence.protocols import Experiment
from ledger.measures import measured
from ledger.rows import Rows
from ledger.schema import Column, Document, Measure, Row, Selection, Source, Table, Value

UNLIKE_NAG = "not the released NAG: its norm is L1, as in its publication, where its FLUX code has L2"
_INTERVALS = {
    "share": "wilson", "wins": "wilson", "accuracy": "wilson", "mean": "bootstrap", "contrast": "bootstrap",
}  # fmt: skip


@dataclass
class TableBuilder:
    """A table under construction: columns in the order of first use, rows as given."""

    id: str
    title: str
    caption: str
    note: str = ""
    columns: dict[str, Column] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)

    def put(self, row: Row, column: Column, value: Value) -> None:
        self.rows.setdefault(row.id, row)
        self.columns.setdefault(column.id, column)
        self.values[f"{self.id}.{row.id}.{column.id}"] = value

    def table(self) -> Table:
        return Table(
            title=self.title,
            caption=self.caption,
            columns=list(self.columns.values()),
            rows=list(self.rows.values()),
            note=self.note,
        )


@dataclass(frozen=True)
class Measuring:
    """The rows of one experiment and what all its measures have in common."""

    experiment: Experiment
    rows: Rows

    def of(
        self,
        row: str | Sequence[str],
        scorer: str,
        way: str,
        *,
        prompts: Sequence[str] = (),
        kind: str = "",
        label: str = "",
        summed: bool = False,
        **told: Any,
    ) -> Selection:
        """Observations of one generator, or several, by one scorer; of all prompts, kinds, labels where none is named.

        `told` are the other fields of a Selection, `summed` adds the labels of a picture up instead of averaging
        them."""
        where = {
            "row": (row,) if isinstance(row, str) else tuple(row),
            "scorer": (scorer,),
            "prompt_set": (self.experiment.prompt_set,),
            "profile": (self.experiment.participants.profile,),
        }
        where |= {"prompt": tuple(prompts)} if prompts else {}
        where |= {column: (text,) for column, text in (("kind", kind), ("label", label)) if text}
        return Selection(where=where, way=way, labels="sum" if summed else "mean", **told)  # type: ignore[arg-type]

    def value(
        self,
        label: str,
        statistic: str,
        of: Selection,
        beside: Selection | None = None,
        *,
        unit: str = "",
        digits: int = 3,
        caveat: str = "",
        **told: Any,
    ) -> Value:
        """The value of a measure; `told` are the other fields of a Measure. Shares have Wilson's interval, means one by
        resampling prompts."""
        caveat = "; ".join(filter(None, (caveat, self._unlike_published(of))))
        told.setdefault("interval", _INTERVALS.get(statistic, "none"))
        measure = Measure(
            rows=self.experiment.rows_file,
            statistic=statistic,  # type: ignore[arg-type]
            of=of,
            beside=beside,
            **told,
        )
        source = Source(kind="measured", where=self.experiment.run)
        made = measured(label, measure, self.rows, unit=unit, digits=digits, source=source, caveat=caveat or None)
        return made.model_copy(update={"rows": measure.rows})

    def _unlike_published(self, of: Selection) -> str:
        """What keeps a value of these rows from being compared with published ones."""
        models, profile = self.experiment.participants.models, self.experiment.participants.profile
        steered = (models[row].card.settings(profile).get("method") for row in of.where.get("row", ()) if row in models)
        return UNLIKE_NAG if "nag" in steered else ""


def document(builders: Iterable[TableBuilder], more: dict[str, Value] | None = None) -> Document:
    """Tables that hold something, their values, and values that stand in no table."""
    filled = [builder for builder in builders if builder.values]
    values = {key: value for builder in filled for key, value in builder.values.items()}
    return Document(values=values | (more or {}), tables={builder.id: builder.table() for builder in filled})
