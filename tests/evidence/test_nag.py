"""Normalised attention guidance, the method that value sign flip is compared with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from evidence import generators
from evidence.interfaces import Request
from evidence.steering.nag import NormalizedAttentionGuidance
from evidence.steering.streams import Stream, streams
from tests.evidence.tiny import repositories
from tests.evidence.tiny.cards import card


def parts(seed: int = 3) -> list[Stream]:
    noise = torch.Generator().manual_seed(seed)
    return [Stream(*torch.randn(3, 2, 3, count, 8, generator=noise)) for count in (6, 5, 4)]


def softmax_read(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    weights = (query.double() @ key.double().transpose(-1, -2) / key.shape[-1] ** 0.5).softmax(-1)
    return (weights @ value.double()).transpose(1, 2).flatten(2)


def test_guidance_agrees_with_the_formula_written_out() -> None:
    image, positive, negative = parts()
    ours = NormalizedAttentionGuidance(4.0, tau=1.2, alpha=0.4)(image, positive, negative)
    wanted, unwanted = (
        softmax_read(image.query, torch.cat([s.key, image.key], 2), torch.cat([s.value, image.value], 2))
        for s in (positive, negative)
    )
    expected = torch.empty_like(wanted)
    for place in np.ndindex(*wanted.shape[:2]):
        pushed = 4.0 * wanted[place] - 3.0 * unwanted[place]
        growth = pushed.abs().sum() / wanted[place].abs().sum()
        expected[place] = 0.4 * pushed * (min(growth, 1.2) / growth) + 0.6 * wanted[place]
    assert torch.allclose(ours.double(), expected, atol=1e-5)


def test_scale_one_and_alpha_nought_are_plain_attention() -> None:
    image, positive, negative = parts()
    plain = softmax_read(
        image.query, torch.cat([positive.key, image.key], 2), torch.cat([positive.value, image.value], 2)
    )
    for rule in (NormalizedAttentionGuidance(1.0, alpha=1.0), NormalizedAttentionGuidance(9.0, alpha=0.0)):
        assert torch.allclose(rule(image, positive, negative).double(), plain, atol=1e-6)


def test_tau_bounds_the_norm() -> None:
    wanted, unwanted = torch.randn(2, 50, 24, generator=torch.Generator().manual_seed(1))
    guided = NormalizedAttentionGuidance(15.0, tau=2.5, alpha=1.0).guide(wanted, unwanted)
    growth = guided.abs().sum(-1) / wanted.abs().sum(-1)
    assert growth.max() <= 2.5 + 1e-5
    assert growth.max() > 2.4


def test_a_negative_prompt_equal_to_the_prompt_does_nothing() -> None:
    image, positive, _ = parts()
    rule = NormalizedAttentionGuidance(10.0, alpha=1.0)
    assert torch.allclose(
        rule(image, positive, positive), NormalizedAttentionGuidance(1.0)(image, positive, positive), atol=1e-5
    )


def test_text_streams_do_not_notice_the_guidance() -> None:
    """As in value sign flip, only image queries read both prompts."""
    image, positive, negative = parts()
    weak, strong = (streams(image, positive, negative, NormalizedAttentionGuidance(s)) for s in (2.0, 12.0))
    assert torch.equal(weak[1], strong[1])
    assert torch.equal(weak[2], strong[2])
    assert not torch.allclose(weak[0], strong[0])


def test_half_precision_does_not_overflow_in_the_norm() -> None:
    """A token of FLUX has 3,072 numbers: at 40 each their magnitudes sum to more than float16 holds."""
    wanted, unwanted = torch.full((1, 2, 3072), 40.0).half(), torch.full((1, 2, 3072), -10.0).half()
    guided = NormalizedAttentionGuidance(4.0, tau=2.5, alpha=0.25).guide(wanted, unwanted)
    assert guided.dtype == torch.float16
    assert torch.allclose(guided.float(), torch.full((1, 2, 3072), 0.25 * 2.5 * 40 + 0.75 * 40), rtol=1e-3)


def test_dead_tokens_stay_finite() -> None:
    nothing = torch.zeros(1, 3, 8)
    assert torch.isfinite(NormalizedAttentionGuidance(10.0).guide(nothing, nothing)).all()


@pytest.fixture(scope="module")
def flux(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = repositories.flux(tmp_path_factory.mktemp("flux"))
    return generators.load(card("flux", folder, method="nag", nag_scale=6.0, max_sequence_length=24))


def outputs(pipe: Any, names: list[str], act: Callable[[], object]) -> dict[str, Any]:
    """What modules of the transformer give at their first call."""
    seen: dict[str, Any] = {}

    def keep(name: str) -> Any:
        return lambda module, args, made: seen.setdefault(name, made)

    hooks = [pipe.transformer.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    act()
    for hook in hooks:
        hook.remove()
    return seen


def test_a_negative_prompt_is_read_as_a_prompt_would_be(flux: Any) -> None:
    """Padded to the window and modulated by its own pooled embedding, as the authors' pipeline does: the first layer
    gets for it what it gets where it is the prompt."""
    layers = ["time_text_embed", "transformer_blocks.0.norm1_context", "transformer_blocks.0"]
    both = outputs(flux.pipe, layers, lambda: flux.generate([Request("a dim pond", 9, "sharp")]))
    alone = outputs(flux.pipe, layers, lambda: flux.generate([Request("sharp", 9)]))
    assert torch.allclose(both[layers[0]][1:], alone[layers[0]], atol=1e-5)
    for ours, stock in zip(both[layers[1]], alone[layers[1]], strict=True):
        assert torch.allclose(ours[1:], stock, atol=1e-5)
    text, image = both["transformer_blocks.0"]
    assert text.shape == (2, 24, 32) and len(image) == 1, "one picture in the double blocks"


def test_guided_attention_outputs_are_those_of_the_formula(flux: Any) -> None:
    """In the first block, from what the stock layer gives the picture under prompt and negative prompt."""
    attention = flux.pipe.transformer.transformer_blocks[0].attn
    asked: list[Any] = []
    given: list[torch.Tensor] = []
    hooks = [
        attention.register_forward_pre_hook(lambda module, args, told: asked.append(told), with_kwargs=True),
        attention.to_out[0].register_forward_pre_hook(lambda module, args: given.append(args[0])),
    ]
    flux.generate([Request("a dim pond", 9, "sharp")])
    guided, told = given[0], asked[0]
    given.clear()
    with torch.inference_mode():
        for text in told["encoder_hidden_states"].split(1):
            attention(**told | {"encoder_hidden_states": text})
    for hook in hooks:
        hook.remove()
    assert torch.allclose(guided, NormalizedAttentionGuidance(6.0).guide(*given), atol=1e-5)


def test_a_negative_prompt_that_is_the_prompt_leaves_the_picture_alone(flux: Any) -> None:
    pictures = [np.asarray(flux.generate([Request("a pond", 9, n)])[0], int) for n in ("", "a pond", "sharp")]
    assert np.abs(pictures[0] - pictures[1]).max() <= 1 < np.abs(pictures[0] - pictures[2]).max()


def test_sd3_reads_a_negative_prompt_in_a_window_of_its_own(tmp_path: Path) -> None:
    folder = repositories.sd3(tmp_path / "sd3")
    ours: Any = generators.load(card("sd3", folder, method="nag", nag_scale=4.0, guidance=0.0, max_sequence_length=24))
    received: list[Any] = []
    ours.pipe.transformer.register_forward_pre_hook(lambda m, a, given: received.append(given), with_kwargs=True)
    ours.generate([Request("a dim pond", 9, "sharp")])
    assert received[0]["encoder_hidden_states"].shape[1] == 2 * (77 + 24)


@pytest.mark.parametrize("adapter", ["flux", "sd3"])
def test_scale_one_is_the_plain_pipeline_and_more_is_not(adapter: str, tmp_path: Path) -> None:
    folder = getattr(repositories, adapter)(tmp_path / adapter)
    settings = {"guidance": 0.0, "max_sequence_length": 24}
    plain = generators.load(card(adapter, folder, **settings))
    off, on = (
        generators.load(card(adapter, folder, method="nag", nag_scale=scale, **settings), sharing=plain)
        for scale in (1.0, 10.0)
    )
    wanted = [Request("a dim pond", 9, "sharp")]
    picture = plain.generate([Request("a dim pond", 9)])[0]
    assert np.array_equal(off.generate(wanted)[0], picture)
    assert not np.array_equal(on.generate(wanted)[0], picture)
