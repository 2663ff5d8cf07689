"""The same tiny cards on an accelerator, where there is one: noise is the CPU's, text encoders leave the device, and
what runs beside the sampler on streams of its own neither waits too little nor changes a byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from evidence import generators, run, scorers
from evidence.cards import Cards
from evidence.engines import Options
from evidence.interfaces import Request
from evidence.order import Order, store_of
from evidence.progress import RunProgress
from tests.evidence import small
from tests.evidence.tiny import repositories
from tests.evidence.tiny.cards import card

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator on this machine")

WANTED = [Request("a murky pond, badly lit", 7), Request("a sharp and vivid street", 8)]
KINDS: list[tuple[str, str, dict[str, Any]]] = [
    ("flux", "flux", {"max_sequence_length": 40}),
    ("flux", "flux", {"max_sequence_length": 40, "method": "vsf", "vsf_scale": 2.0}),
    ("sdxl", "playground", {"variant": "fp16"}),
    ("sd3", "sd3", {}),
    ("z-image", "z_image", {}),
    ("flux2-klein", "flux2_klein", {}),
    ("longcat", "longcat", {}),
    ("qwen-image", "qwen_image", {"true_cfg_scale": 4.0, "guidance": None}),
    ("sana", "sana", {"variant": "bf16"}),
]


@pytest.mark.parametrize(("adapter", "kind", "settings"), KINDS)
def test_an_accelerator_makes_the_picture_of_the_cpu(
    adapter: str, kind: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    known = card(adapter, getattr(repositories, kind)(tmp_path / kind), **settings)
    wanted = [Request(r.prompt, r.seed, "sharp") for r in WANTED] if settings.get("method") else WANTED
    here, there = (generators.load(known, device=device) for device in ("cpu", "cuda"))
    for one, other in zip(here.generate(wanted), there.generate(wanted), strict=True):
        assert np.abs(np.asarray(one, int) - np.asarray(other, int)).mean() < 3


@pytest.mark.parametrize(("adapter", "kind", "settings"), [*KINDS[:1], *KINDS[2:6], *KINDS[7:]])
def test_encoding_ahead_frees_the_accelerator_of_the_text_encoders(
    adapter: str, kind: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    known = card(adapter, getattr(repositories, kind)(tmp_path / kind), **settings)
    generator: Any = generators.load(known, device="cuda")
    whole = generator.generate(WANTED)
    before = torch.cuda.memory_allocated()
    generator.encode(WANTED)
    assert torch.cuda.memory_allocated() < before
    for one, other in zip(whole, generator.decode(generator.denoise(WANTED)), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("repeat", range(3))
def test_the_engine_makes_what_generator_and_scorer_make_alone(small_cards: Cards, tmp_path: Path, repeat: int) -> None:
    """A decoder that read latents before they were there, or a sampler that wrote over them, would show here."""
    order = Order(models=("small",), prompt_set=str(small.prompt_file(tmp_path / "p.jsonl", 12)))
    plan, tally = run.execute(order, "t", Options(device="cuda"), RunProgress(print), cards=small_cards, runs=tmp_path)
    assert not tally.unavailable and len(plan.pictures) == 24
    store, generator = store_of("t", tmp_path), generators.load(small_cards.models["small"], device="cuda")
    pictures = {}
    for job in plan.pictures.values():
        (image,) = generator.generate([Request(job.spec.prompt, job.spec.seed)])
        assert store.picture(job.key).tobytes() == image.tobytes()
        pictures[store.get(job.key).result["pixels"]] = image  # type: ignore[union-attr]
    scorer = scorers.load(small_cards.scorers["small-clip"], "cuda")
    scored = [r for r in store.records() if r.stage == "score" and r.made["scorer"] == "small-clip"]
    assert len(scored) == 48
    for record in scored:
        identity = record.identity
        assert [record.result["score"]] == scorer.score([pictures[identity["picture"]]], [identity["prompt"]])
