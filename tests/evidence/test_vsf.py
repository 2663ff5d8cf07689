"""Value sign flip: what each stream reads, layer by layer, and that it is off when it is off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from torch import Tensor

from evidence import generators
from evidence.interfaces import GenerationFailed, Request
from evidence.steering import vsf
from evidence.steering.streams import FluxStreams, JointStreams, Stream, Tokens, installed
from evidence.steering.vsf import ValueSignFlip
from tests.evidence.tiny import repositories
from tests.evidence.tiny.cards import card

TOKENS = Tokens(positive=5, negative=3)
IMAGE = 4
P, N = slice(0, 5), slice(5, 8)  # of the text tokens
RULE = ValueSignFlip(scale=2.0, offset=0.3)


@pytest.fixture(scope="module")
def flux(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repositories.flux(tmp_path_factory.mktemp("flux"))


@pytest.fixture(scope="module")
def sd3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repositories.sd3(tmp_path_factory.mktemp("sd3"))


@pytest.fixture(scope="module")
def transformer() -> Any:
    return repositories.drawn(diffusers.FluxTransformer2DModel(**repositories.FLUX), seed=4)


@pytest.fixture(scope="module")
def joint() -> Any:
    return repositories.drawn(diffusers.SD3Transformer2DModel(**repositories.SD3), seed=7)


def states(tokens: int, seed: int) -> Tensor:
    return torch.randn(1, tokens, 32, generator=torch.Generator().manual_seed(seed))


TEXT, PICTURE = states(8, 1), states(IMAGE, 2)


def rotation(transformer: Any) -> Any:
    """Rotary angles of 8 text tokens at position 0 and 2 by 2 image tokens."""
    ids = torch.zeros(8 + IMAGE, 3)
    ids[8:, 1:] = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
    return transformer.pos_embed(ids)


def layer(kind: str, transformer: Any, joint: Any) -> Any:
    """(text, image, rule) -> (text, image) of one attention layer of the kind, its output projection included."""
    if kind == "sd3":
        attn = joint.transformer_blocks[1].attn
        return lambda text, image, rule: JointStreams(rule, TOKENS)(attn, image, text)[::-1]
    rotary = rotation(transformer)
    if kind == "flux double":
        attn = transformer.transformer_blocks[0].attn
        return lambda text, image, rule: FluxStreams(rule, TOKENS)(attn, image, text, image_rotary_emb=rotary)[::-1]
    single = transformer.single_transformer_blocks[0].attn

    def attend(text: Tensor, image: Tensor, rule: Any) -> tuple[Tensor, Tensor]:
        whole = FluxStreams(rule, TOKENS)(single, torch.cat([text, image], 1), image_rotary_emb=rotary)
        assert isinstance(whole, Tensor)
        return whole[:, :8], whole[:, 8:]

    return attend


KINDS = pytest.mark.parametrize("kind", ["flux double", "flux single", "sd3"])


@KINDS
@torch.inference_mode()
def test_positive_tokens_and_image_are_not_reached_by_n0(kind: str, transformer: Any, joint: Any) -> None:
    """Perturbing the negative tokens changes the image through N1 alone: with its values at zero weight, only by the
    share of the softmax, and positive tokens never."""
    attend = layer(kind, transformer, joint)
    other = TEXT.clone()
    other[:, N] += 1.0
    text, image = attend(TEXT, PICTURE, RULE)
    perturbed, seen = attend(other, PICTURE, RULE)
    assert torch.equal(text[:, P], perturbed[:, P])
    assert not torch.allclose(text[:, N], perturbed[:, N])
    assert not torch.allclose(image, seen)
    far = ValueSignFlip(scale=2.0, offset=1e4)  # N1 out of sight: nothing else may lead from N0 to the image
    assert torch.equal(attend(TEXT, PICTURE, far)[1], attend(other, PICTURE, far)[1])


@KINDS
@torch.inference_mode()
def test_n0_does_not_read_the_positive_tokens(kind: str, transformer: Any, joint: Any) -> None:
    attend = layer(kind, transformer, joint)
    other = TEXT.clone()
    other[:, P] += 1.0
    text, image = attend(TEXT, PICTURE, RULE)
    perturbed, seen = attend(other, PICTURE, RULE)
    assert torch.equal(text[:, N], perturbed[:, N])
    assert not torch.allclose(text[:, P], perturbed[:, P])
    assert not torch.allclose(image, seen)


@KINDS
@torch.inference_mode()
def test_n1_is_read_by_image_queries_only(kind: str, transformer: Any, joint: Any) -> None:
    """Scale and offset act on N1 alone: whatever they are, no text token notices."""
    attend = layer(kind, transformer, joint)
    text, image = attend(TEXT, PICTURE, RULE)
    for rule in (ValueSignFlip(5.0, 0.3), ValueSignFlip(2.0, 1.5)):
        same, seen = attend(TEXT, PICTURE, rule)
        assert torch.equal(text, same)
        assert not torch.allclose(image, seen)


@KINDS
@torch.inference_mode()
def test_both_text_streams_read_the_image(kind: str, transformer: Any, joint: Any) -> None:
    """N0 evolves as a prompt does: without the image in sight it would be another method."""
    attend = layer(kind, transformer, joint)
    text, _ = attend(TEXT, PICTURE, RULE)
    other, _ = attend(TEXT, PICTURE + 1.0, RULE)
    assert not torch.allclose(text[:, P], other[:, P])
    assert not torch.allclose(text[:, N], other[:, N])


def naive(image: Stream, positive: Stream, negative: Stream, rule: ValueSignFlip) -> tuple[Tensor, Tensor, Tensor]:
    """The method as one masked softmax over [positive, N0, image, N1], in double precision, one query at a time."""
    keys = torch.cat([positive.key, negative.key, image.key, negative.key], 2).double()
    values = torch.cat([positive.value, negative.value, image.value, -rule.scale * negative.value], 2).double()
    p, n, i = (part.key.shape[2] for part in (positive, negative, image))
    kinds = ["P"] * p + ["0"] * n + ["I"] * i + ["1"] * n
    sees = {"I": "PI1", "P": "PI", "0": "0I"}
    answers = []
    for name, stream in (("I", image), ("P", positive), ("0", negative)):
        cards = []
        for at in range(stream.query.shape[2]):
            logits = (stream.query[:, :, at, None].double() * keys).sum(-1) / keys.shape[-1] ** 0.5
            for place, kind in enumerate(kinds):
                if kind not in sees[name]:
                    logits[..., place] = -torch.inf
                elif kind == "1":
                    logits[..., place] -= rule.offset
            cards.append((logits.softmax(-1)[..., None] * values).sum(2))
        answers.append(torch.stack(cards, 1).flatten(2))
    return answers[0], answers[1], answers[2]


@pytest.mark.parametrize(("scale", "offset"), [(0.5, 0.0), (2.0, 0.0), (3.0, 0.08), (8.0, 1.0)])
def test_streams_agree_with_a_naive_masked_attention(scale: float, offset: float) -> None:
    from evidence.steering.streams import streams

    noise = torch.Generator().manual_seed(3)
    parts = [Stream(*torch.randn(3, 2, 3, count, 8, generator=noise)) for count in (6, 5, 3)]
    rule = ValueSignFlip(scale, offset)
    for ours, theirs in zip(streams(*parts, rule), naive(*parts, rule), strict=True):
        assert torch.allclose(ours.double(), theirs, atol=1e-6)


@torch.inference_mode()
def test_a_flux_layer_agrees_with_the_stock_layer_where_it_has_no_negative_tokens(transformer: Any) -> None:
    """Projections, norms and rotation are those of the stock processor: positive tokens read as if alone."""
    attn = transformer.transformer_blocks[0].attn
    cos, sin = rotation(transformer)
    kept = torch.cat([torch.arange(5), torch.arange(8, 12)])
    _, alone = attn(PICTURE, TEXT[:, P], image_rotary_emb=(cos[kept], sin[kept]))
    ours, _ = layer("flux double", transformer, None)(TEXT, PICTURE, RULE)
    assert torch.allclose(ours[:, P], alone, atol=1e-6)


@torch.inference_mode()
def test_a_single_block_agrees_with_the_stock_layer_where_it_has_no_negative_tokens(transformer: Any) -> None:
    attn = transformer.single_transformer_blocks[0].attn
    cos, sin = rotation(transformer)
    kept = torch.cat([torch.arange(5), torch.arange(8, 12)])
    alone = attn(torch.cat([TEXT[:, P], PICTURE], 1), image_rotary_emb=(cos[kept], sin[kept]))
    hidden = ValueSignFlip(2.0, offset=1e4)  # N1 out of sight: the image reads as if alone, too
    text, image = layer("flux single", transformer, None)(TEXT, PICTURE, hidden)
    assert torch.allclose(torch.cat([text[:, P], image], 1), alone, atol=1e-6)


@torch.inference_mode()
def test_an_sd3_layer_agrees_with_the_stock_layer_where_it_has_no_negative_tokens(joint: Any) -> None:
    attn = joint.transformer_blocks[1].attn
    _, alone = attn(hidden_states=PICTURE, encoder_hidden_states=TEXT[:, P])
    ours, _ = layer("sd3", None, joint)(TEXT, PICTURE, RULE)
    assert torch.allclose(ours[:, P], alone, atol=1e-6)


@torch.inference_mode()
def test_the_order_of_negative_tokens_does_not_matter_to_flux(transformer: Any) -> None:
    """Text has no positions in FLUX. Rotary ids that did not match the order of tokens would show here."""
    attend = layer("flux double", transformer, None)
    text, image = attend(TEXT, PICTURE, RULE)
    swapped, seen = attend(TEXT[:, [0, 1, 2, 3, 4, 7, 5, 6]], PICTURE, RULE)
    assert torch.allclose(image, seen, atol=1e-6)
    assert torch.allclose(text[:, [0, 1, 2, 3, 4, 7, 5, 6]], swapped, atol=1e-6)


@pytest.mark.parametrize("kind", ["flux", "sd3"])
def test_every_layer_that_sees_text_is_steered_and_then_put_back(kind: str, transformer: Any, joint: Any) -> None:
    model, count = (transformer, 4) if kind == "flux" else (joint, 3)  # FLUX: double and single blocks alike
    stock = dict(model.attn_processors)
    with pytest.raises(RuntimeError), installed(model, RULE, TOKENS):
        during = model.attn_processors
        steered = [name for name, part in during.items() if isinstance(part, FluxStreams | JointStreams)]
        assert len(steered) == count
        assert all(".attn.processor" in name for name in steered)
        assert [name for name in during if name not in steered] == [n for n in during if ".attn2." in n]
        raise RuntimeError
    assert model.attn_processors == stock


@pytest.mark.parametrize("settings", [{"vsf_scale": 0.0}, {"vsf_scale": 3.0}], ids=["scale 0", "no negative tokens"])
def test_when_off_it_is_the_stock_flux_pipeline_to_the_byte(flux: Path, settings: Any) -> None:
    ours = generators.load(card("flux", flux, method="vsf", max_sequence_length=24, **settings))
    negative = "sharp" if settings["vsf_scale"] == 0 else ""
    pipe = diffusers.FluxPipeline.from_pretrained(flux)
    pipe.set_progress_bar_config(disable=True)
    plain = pipe(
        "a dim pond",
        width=32,
        height=32,
        num_inference_steps=2,
        guidance_scale=3.5,
        max_sequence_length=24,
        generator=torch.Generator().manual_seed(9),
    ).images[0]
    assert np.array_equal(ours.generate([Request("a dim pond", 9, negative)])[0], plain)


@pytest.mark.parametrize("settings", [{"vsf_scale": 0.0}, {"vsf_scale": 3.0}], ids=["scale 0", "no negative tokens"])
def test_when_off_it_is_the_stock_sd3_pipeline_to_the_byte(sd3: Path, settings: Any) -> None:
    ours = generators.load(card("sd3", sd3, method="vsf", guidance=0.0, max_sequence_length=24, **settings))
    negative = "sharp" if settings["vsf_scale"] == 0 else ""
    pipe = diffusers.StableDiffusion3Pipeline.from_pretrained(sd3)
    pipe.set_progress_bar_config(disable=True)
    plain = pipe(
        "a dim pond",
        width=32,
        height=32,
        num_inference_steps=2,
        guidance_scale=0.0,
        max_sequence_length=24,
        generator=torch.Generator().manual_seed(9),
    ).images[0]
    assert np.array_equal(ours.generate([Request("a dim pond", 9, negative)])[0], plain)


@pytest.mark.parametrize("adapter", ["flux", "sd3"])
def test_a_negative_prompt_reaches_the_picture(adapter: str, flux: Path, sd3: Path) -> None:
    folder = flux if adapter == "flux" else sd3
    ours = generators.load(card(adapter, folder, method="vsf", vsf_scale=3.0, guidance=0.0, max_sequence_length=24))
    pictures = [np.asarray(ours.generate([Request("a dim pond", 9, n)])[0], int) for n in ("", "sharp", "crisp")]
    assert np.abs(pictures[0] - pictures[1]).mean() > 1
    assert np.abs(pictures[1] - pictures[2]).mean() > 0.1


@pytest.mark.parametrize(("adapter", "method"), [("flux", "vsf"), ("flux", "nag"), ("sd3", "vsf"), ("sd3", "nag")])
def test_negative_prompts_of_another_length_do_not_change_a_picture(
    adapter: str, method: str, flux: Path, sd3: Path
) -> None:
    """Together they fill the same window: the boundary between prompt and negative prompt is each picture's own."""
    folder, settings = (flux, {"max_sequence_length": 40}) if adapter == "flux" else (sd3, {"guidance": 0.0})
    steered = settings | {"method": method, f"{method}_scale": 3.0}
    wanted = [Request("a pond", 7, "sharp"), Request("a pond", 8, "a vivid, clean picture")]
    one, two = (generators.load(card(adapter, folder, batch=count, **steered)) for count in (1, 2))
    together, alone = two.generate(wanted), one.generate(wanted)
    for request, picture, single in zip(wanted, together, alone, strict=True):
        assert np.abs(np.asarray(picture, int) - np.asarray(single, int)).mean() < 2
        assert picture.tobytes() == two.generate([request])[0].tobytes()


def test_flux_gets_rotary_ids_for_every_token_and_unpadded_negative_ones(flux: Path) -> None:
    """Both together fill the window, the positive ones padded, the negative ones as they are; text ids all zero."""
    ours: Any = generators.load(card("flux", flux, method="vsf", vsf_scale=2.0, max_sequence_length=24))
    received: list[Any] = []
    hook = ours.pipe.transformer.register_forward_pre_hook(
        lambda module, args, given: received.append(given), with_kwargs=True
    )
    ours.generate([Request("a dim pond", 9, "sharp"), Request("a dim pond", 9)])
    hook.remove()
    steered, plain = received[0], received[-1]
    negative = len(ours.pipe.tokenizer_2("sharp").input_ids)
    assert steered["encoder_hidden_states"].shape[1] == plain["encoder_hidden_states"].shape[1] == 24
    alone, *_ = ours.pipe.encode_prompt("a dim pond", None, max_sequence_length=24 - negative)
    assert torch.allclose(steered["encoder_hidden_states"][:, :-negative], alone, atol=1e-5)
    assert steered["txt_ids"].shape == (24, 3)
    assert not steered["txt_ids"].any()
    assert torch.equal(steered["img_ids"], plain["img_ids"])


def test_sd3_gets_unpadded_negative_tokens_of_both_kinds(sd3: Path) -> None:
    ours: Any = generators.load(card("sd3", sd3, method="vsf", vsf_scale=2.0, guidance=0.0, max_sequence_length=24))
    received: list[Any] = []
    ours.pipe.transformer.register_forward_pre_hook(lambda m, a, given: received.append(given), with_kwargs=True)
    ours.generate([Request("a dim pond", 9, "sharp")])
    by_clip, by_t5 = len(ours.pipe.tokenizer("sharp").input_ids), len(ours.pipe.tokenizer_3("sharp").input_ids)
    assert received[0]["encoder_hidden_states"].shape[1] == 77 + 24 + by_clip + by_t5


def test_the_pooled_embedding_is_pushed_away_from_the_negative_one() -> None:
    positive, negative = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 4.0]])
    assert torch.allclose(vsf.pooled(positive, negative, 1.1), torch.tensor([[1.1, 1.8]]))
    assert vsf.pooled(positive, negative, 1.0) is positive


def test_a_small_scale_is_not_the_plain_pipeline() -> None:
    """N1 keeps its share of the softmax: only the scale 0, which means off, is plain."""
    noise = torch.Generator().manual_seed(3)
    image, positive, negative = (Stream(*torch.randn(3, 1, 2, n, 8, generator=noise)) for n in (4, 5, 3))
    almost_off = ValueSignFlip(1e-9)(image, positive, negative)
    hidden = ValueSignFlip(1e-9, offset=1e4)(image, positive, negative)
    assert not torch.allclose(almost_off, hidden, atol=1e-3)


def test_a_negative_prompt_that_would_do_nothing_is_refused(flux: Path) -> None:
    plain = generators.load(card("flux", flux))
    with pytest.raises(GenerationFailed, match="ignore the negative prompt"):
        plain.generate([Request("a dim pond", 9, "sharp")])


@pytest.mark.parametrize("method", ["vsf", "nag", "none"])
def test_a_prompt_counts_as_cut_by_the_window_that_its_negative_prompt_leaves(method: str, flux: Path) -> None:
    """Under VSF the two share the window: what did not fit beside the negative prompt was cut and counted as whole."""
    scale = {"vsf": {"vsf_scale": 2.0}, "nag": {"nag_scale": 4.0}, "none": {}}[method]
    generator: Any = generators.load(card("flux", flux, method=method, max_sequence_length=24, guidance=0.0, **scale))
    marks = len(generator._tokens("a" * 20)) - 20
    assert generator.truncated(["a" * (24 - marks), "a" * (25 - marks)]) == [False, True]
    taken = len(generator._tokens("sharp")) if method == "vsf" else 0
    fits, cut = "a" * (24 - taken - marks), "a" * (25 - taken - marks)
    assert generator.truncated([fits, cut], ["sharp", "sharp"]) == [False, True]
