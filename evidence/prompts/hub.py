"""Published prompt sets, when the hub can be reached: `hub:owner/name` on the command line.

Read are the data set's own parquet or JSON-lines files at one commit, which goes into the provenance. Column names as
published, misspellings included. A set whose columns nobody has published is not guessed at: it is refused by name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from evidence.dimensions import DIMENSIONS
from evidence.prompts import Prompt, PromptSet, of_rows
from ledger.problems import InputError, Problem, did_you_mean

# column of the published set -> field of Prompt
COLUMNS: dict[str, dict[str, str]] = {
    "weathon/anti_aesthetics_dataset": {
        "original_prompt": "plain",
        "disorted_long_prompt": "wide",  # sic
        "selected": "dimensions",
        "negative_prompt": "negative",
    },
    "weathon/aas_benchmark_final": {
        "prompt_original": "plain",
        "prompt_distorted": "wide",
        "selected_dims": "dimensions",
    },
}


def load(repository: str) -> PromptSet:
    """All distinct rows of a published prompt set. InputError with one line where it cannot be had."""
    if repository not in COLUMNS:
        known = ", ".join(COLUMNS)
        hint = did_you_mean(repository, COLUMNS)
        raise _problem(repository, f"no prompt columns are known of this data set{hint}; known: {known}")
    commit, files = _download(repository)
    rows = read(repository, (row for file in files for row in _table(file, list(COLUMNS[repository]))))
    return of_rows(repository.split("/")[1], files[0].parent, rows, f"hub:{repository}@{commit}")


def read(repository: str, table: Iterable[Mapping[str, Any]]) -> list[Prompt]:
    """Prompts of rows with the published columns; a pair that repeats (one per model) is kept once."""
    columns = COLUMNS[repository]
    seen: dict[tuple[str, str], Prompt] = {}
    for raw in table:
        fields: dict[str, Any] = {
            field: raw[column] for column, field in columns.items() if raw.get(column) is not None
        }
        fields["dimensions"] = _dimensions(fields.get("dimensions", []))
        pair = (fields["plain"], fields.get("wide", ""))
        if pair not in seen:
            seen[pair] = Prompt(id=f"{repository.split('/')[1]}-{len(seen):04d}", **fields)
    return list(seen.values())


def _dimensions(said: object) -> list[str]:
    """A list, or a string that is JSON or one name per line or comma."""
    if isinstance(said, str):
        text = said.strip()
        said = json.loads(text) if text.startswith("[") else text.replace("\n", ",").split(",")
    return sorted(str(name).strip() for name in said if str(name).strip() in DIMENSIONS)  # type: ignore[attr-defined]


def _download(repository: str) -> tuple[str, list[Path]]:
    from huggingface_hub import HfApi, hf_hub_download

    endpoint = os.environ.get("HF_ENDPOINT") or None
    try:
        api = HfApi(endpoint=endpoint)
        about = api.dataset_info(repository, timeout=20)
        wanted = sorted(s.rfilename for s in about.siblings or [] if s.rfilename.endswith((".parquet", ".jsonl")))
        files = [
            Path(hf_hub_download(repository, name, repo_type="dataset", revision=about.sha, endpoint=endpoint))
            for name in wanted
        ]
    except Exception as error:  # the hub's error text may quote request headers: only its class is told
        shipped = "the shipped set needs no hub: --prompt-set wide"
        raise _problem(repository, f"the hub gives no data set ({type(error).__name__}); {shipped}") from None
    if not files or not about.sha:
        raise _problem(repository, "the data set holds neither parquet nor JSON lines")
    return about.sha, files


def _table(file: Path, columns: list[str]) -> list[dict[str, Any]]:
    if file.suffix == ".jsonl":
        return [json.loads(line) for line in file.read_text("utf-8").split("\n") if line.strip()]
    import pyarrow.parquet as parquet

    there = [name for name in parquet.ParquetFile(file).schema_arrow.names if name in columns]
    return list(parquet.read_table(file, columns=there).to_pylist())


def _problem(repository: str, message: str) -> InputError:
    return InputError([Problem(f"hub:{repository}", 0, "", message)])
