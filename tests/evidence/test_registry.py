"""Adapters are added by a class under a decorator; a package of somebody else adds its own without touching ours."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from evidence.registry import GENERATORS, SCORERS, Adapter, Registry, Settings
from ledger.problems import InputError

ROOT = Path(__file__).parents[2]
PLUGIN = Path(__file__).with_name("plugin")

CARDS = """
[tinted]
adapter = "tint"
weights = "local-dir:{weights}"
licence = "none"
[tinted.profiles.controlled]
size = 32
"""
SCORER_CARDS = """
[brightness]
adapter = "brightness"
weights = "local-dir:{weights}"
text_window = 0
output = "mean of the grey levels, 0..1"
"""

RUN = """
import json, sys
from pathlib import Path
from evidence import generators, scorers
from evidence.cards import cards_of
from evidence.interfaces import Request
from evidence.samples import identity
cards = cards_of(Path(sys.argv[1]))
assert "torch" not in sys.modules  # reading the cards loads no adapter
assert "tinted_evidence.painting" not in sys.modules
card, judge = cards.models["tinted"], cards.scorers["brightness"]
pictures = generators.load(card).generate([Request("a pond", 1), Request("a pond", 2)])
scores = scorers.load(judge).score(pictures, ["a pond"] * 2)
codes = identity.of_generator(card)["code"], identity.of_scorer(judge)["code"]
print(json.dumps([card.settings(), pictures[0].size, scores, codes, "torch" in sys.modules]))
"""


def installed(folder: Path) -> Path:
    """The package of tests/evidence/plugin as an installer leaves it: its modules and a dist-info beside them."""
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text("utf-8"))["project"]
    site, info = folder / "site", folder / "site" / "tinted_evidence-0.1.0.dist-info"
    info.mkdir(parents=True)
    (site / "tinted_evidence").symlink_to(PLUGIN / "tinted_evidence")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    lines = [line for group, points in groups for line in (f"[{group}]", *(f"{k} = {v}" for k, v in points.items()))]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return site


def with_plugin(site: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": f"{ROOT}:{site}", "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_package_of_somebody_else_adds_a_generator_and_a_scorer(tmp_path: Path) -> None:
    site, own = installed(tmp_path), tmp_path / "cards"
    own.mkdir()
    (own / "models.toml").write_text(CARDS.format(weights=own), "utf-8")
    (own / "scorers.toml").write_text(SCORER_CARDS.format(weights=own), "utf-8")
    done = with_plugin(site, RUN, str(own))
    assert done.returncode == 0, done.stderr
    settings, size, scores, codes, torch_loaded = json.loads(done.stdout)
    assert settings == {"width": 32, "height": 32, "warmth": 0.5}
    assert size == [32, 32] and len(set(scores)) == 2 and all(0 < score < 1 for score in scores)
    assert all(len(code) == 12 for code in codes), "the source of the package is part of the samples' keys"
    assert not torch_loaded
    (own / "models.toml").write_text(CARDS.format(weights=own) + "warmpth = 0.2\n", "utf-8")
    refused = with_plugin(site, RUN, str(own)).stderr
    assert "tinted.profiles.controlled.warmpth: adapter 'tint' does not read it, did you mean 'warmth'?" in refused


def test_a_package_that_fails_is_named_with_what_to_do(tmp_path: Path) -> None:
    site = installed(tmp_path)
    points = site / "tinted_evidence-0.1.0.dist-info" / "entry_points.txt"
    points.write_text(points.read_text().replace("tinted_evidence.adapters", "tinted_evidence.lost"))
    said = with_plugin(site, "from evidence.cards import Cards; Cards()").stderr.splitlines()[-1]
    assert "package tinted-evidence reversed_alignment.generators: tint: cannot be loaded" in said
    assert "ModuleNotFoundError" in said and said.endswith("mend or uninstall the package")


def test_a_name_belongs_to_one_adapter() -> None:
    class Other(Settings):
        pass

    registry: Registry[type[Settings]] = Registry("nobodys", "_settings")
    registry.add(Adapter("flux", "one:Flux", Other, ()))
    registry.add(Adapter("flux", "one:Flux", Other, ()))
    with pytest.raises(InputError, match="the name is taken by one:Flux"):
        registry.add(Adapter("flux", "two:Flux", Other, ()))


def test_every_adapter_is_there_when_it_is_asked_for() -> None:
    """A registered module or class that does not exist would be met only when somebody pays for the run."""
    for registry in (GENERATORS, SCORERS):
        for adapter in registry.values():
            assert adapter.load().__name__ == adapter.made_by.partition(":")[2]


def test_sd3_refuses_the_pooled_scale_that_it_never_read() -> None:
    """It changed the key of a sample and nothing else."""
    assert "pooled_scale" in GENERATORS["flux"].settings.model_fields
    assert "pooled_scale" not in GENERATORS["sd3"].settings.model_fields
