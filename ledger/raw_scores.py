"""A CSV of raw four-way scores, read and checked.

A row is one pair of pictures: model, prompt index and, for each scorer, four scores named image first, prompt second
(`hpsv3_diop`). Repeats of a pair are counted once. Refused with line and column: a missing column, text in a number, an
unknown model, NaN or infinity, a repeat with other scores.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ledger.metrics import Floats
from ledger.problems import InputError, Problem, did_you_mean


@dataclass(frozen=True)
class Scorer:
    """`prefix` names its columns in the CSV, `id` its values in the ledger."""

    prefix: str
    id: str
    label: str
    unit: str


SCORERS = (
    Scorer("hpsv3", "hpsv3", "HPSv3", "HPSv3 points"),
    Scorer("hpsv2", "hpsv2", "HPSv2.1", "cosine"),
    Scorer("image_reward", "imagereward", "ImageReward", "ImageReward points"),
)
WAYS = {
    "oiop": "plain picture, plain prompt",
    "oidp": "plain picture, distorted prompt",
    "diop": "distorted picture, plain prompt",
    "didp": "distorted picture, distorted prompt",
}
SCORE_COLUMNS = tuple(f"{scorer.prefix}_{way}" for scorer in SCORERS for way in WAYS)
ROW_OF = {
    "flux_dev": "flux-dev",
    "dance_flux": "dance-flux",
    "grpo_flux": "pref-flux",
    "flux_krea": "flux-krea",
    "stable_diffusion_xl": "sdxl",
    "playground": "playground",
    "stable_diffusion_3.5_medium": "sd35m",
    "sd3_medium_grpo_geneval": "sd35m-geneval",
    "sd3_medium_grpo": "sd35m-pickscore",
    "nano-banana": "nano-banana",
    "gpt-image-1.5": "gpt-image-15",
    "qwen_image": "qwen-image",
    "seeddream4": "seeddream4",
    "flux2_klein_9b": "flux2-klein-9b",
    "z_image": "z-image",
    "z_image_turbo": "z-image-turbo",
    "glm_image": "glm-image",
    "alchemist": "alchemist",
    "longcat_image": "longcat-image",
    "flux_dev_vsf": "flux-dev-vsf",
}
"""Names that the authors' code gives to the rows of Table D.1."""

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*\Z")
_LARGEST = 1e3  # no scorer comes near
_SHOWN = 60  # defects spelled out


@dataclass
class Scores:
    """Distinct pairs: per row of the table, prompt index to the twelve scores in the order of `SCORE_COLUMNS`."""

    pairs: dict[str, dict[int, tuple[float, ...]]] = field(default_factory=dict)
    copies: dict[str, dict[int, int]] = field(default_factory=dict)  # how often the file repeats each pair
    rows: int = 0

    def column(self, row: str, name: str, prompts: list[int] | None = None) -> Floats:
        """One score of one model over its prompts in order of index; (n,)."""
        place, mine = SCORE_COLUMNS.index(name), self.pairs[row]
        return np.array([mine[prompt][place] for prompt in prompts or sorted(mine)])


def read_scores(csv_path: Path) -> Scores:
    """The distinct pairs of a CSV, or an `InputError` with every defect at its line and column."""
    name, scores, problems = csv_path.name, Scores(), list[Problem]()
    line = 0
    first_lines = dict[tuple[str, int], int]()
    try:
        with csv_path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            header = next(reader, [])
            problems += _header_problems(name, header)
            if problems:
                raise InputError(problems)
            for cells in reader:
                line = reader.line_num
                problems += _take(scores, first_lines, name, line, header, cells)
    except csv.Error as error:
        problems.append(Problem(name, line + 1, "", f"not CSV: {error}"))
    except UnicodeDecodeError:
        problems.append(Problem(name, line + 1, "", "not UTF-8 text from here on"))
    except OSError as error:
        problems.append(Problem(name, 0, "", f"cannot be read: {error.strerror}"))
    if not problems and not scores.rows:
        problems.append(Problem(name, 1, "", "no rows below the header"))
    if problems:
        more = [Problem(name, 0, "", f"and {len(problems) - _SHOWN} more defects")] if len(problems) > _SHOWN else []
        raise InputError(problems[:_SHOWN] + more)
    return scores


def _header_problems(name: str, header: list[str]) -> Iterator[Problem]:
    if not header:
        yield Problem(name, 1, "", "no header: the file is empty")
        return
    for column in ("model", "prompt_index", *SCORE_COLUMNS):
        if header.count(column) != 1:
            said = "this column stands twice" if column in header else "no such column" + did_you_mean(column, header)
            yield Problem(name, 1, column, said)


def _take(
    scores: Scores, first_lines: dict[tuple[str, int], int], name: str, line: int, header: list[str], cells: list[str]
) -> Iterator[Problem]:
    """Enters one line of the CSV, or says what is wrong with it."""
    if not cells:
        return
    if len(cells) != len(header):
        yield Problem(name, line, "", f"{len(cells)} cells where the header has {len(header)}")
        return
    record = dict(zip(header, cells, strict=True))
    defects = [
        Problem(name, line, f"{column} (column {header.index(column) + 1})", said)
        for column, said in _cell_defects(record)
    ]
    if defects:
        yield from defects
        return
    row, prompt = _row_id(record["model"]), int(record["prompt_index"])
    numbers = tuple(float(record[column]) for column in SCORE_COLUMNS)
    known = scores.pairs.setdefault(row, {}).setdefault(prompt, numbers)
    first = first_lines.setdefault((row, prompt), line)
    for column, now, before in zip(SCORE_COLUMNS, numbers, known, strict=True):
        if now != before:
            said = f"{now} repeats {record['model']}, prompt {prompt}, of line {first}, which has {before}"
            yield Problem(name, line, f"{column} (column {header.index(column) + 1})", said)
    counts = scores.copies.setdefault(row, {})
    counts[prompt] = counts.get(prompt, 0) + 1
    scores.rows += 1


def _cell_defects(record: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    model = record["model"]
    if _row_id(model) not in ROW_OF.values():
        yield "model", f"unknown model {model!r}" + did_you_mean(model, [*ROW_OF, *ROW_OF.values()])
    index = record["prompt_index"]
    if not re.fullmatch(r"\d{1,9}", index, re.ASCII):
        yield "prompt_index", f"{index!r} is no prompt index: a whole number from 0"
    for column in SCORE_COLUMNS:
        text = record[column]
        if re.fullmatch(r"\s*[+-]?(nan|inf(inity)?)\s*", text, re.IGNORECASE):
            yield column, f"{text.strip()!r} is not a finite number"
        elif not _NUMBER.match(text):
            yield column, f"{text!r} is no number"[:120]
        elif abs(float(text)) > _LARGEST:
            yield column, f"{text.strip()!r} is no score"


def _row_id(model: str) -> str:
    return ROW_OF.get(model, model)
