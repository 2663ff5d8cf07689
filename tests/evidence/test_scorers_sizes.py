"""The scorers at full size, on the meta device: parameters, keys and file sizes against the published figures.

Nothing is downloaded: architectures are those of cards/shapes.toml, as public configuration files have them, and the
published key names are those of the official modules (golden/*.npz), repeated for every layer.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import init_empty_weights
from torch import nn
from transformers import (
    CLIPConfig,
    CLIPModel,
)

from evidence import scorers, shapes
from evidence.cards.sized import sizes
from evidence.scorers import clip, hpsv3, mps
from evidence.scorers.base import rename
from evidence.scorers.blip import _RULES, _UNUSED, towers
from evidence.shapes import scorers as scorer_shapes
from evidence.shapes.scorers import SCORERS
from tests.evidence.golden.folders import golden

CARDS = scorers.read()
HERE = Path("checkpoint")


VIT_L_14, VIT_H_14 = (shapes.configuration(f"clip-vit-{size}-14") for size in "lh")
BLIP_L = shapes.configuration("blip-large").vision_config


def on_meta(make: Any) -> nn.Module:
    with init_empty_weights():
        return make()  # type: ignore[no-any-return]


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("shape", SCORERS)
def test_the_sizes_that_cards_take_over_are_those_of_what_is_built(shape: str) -> None:
    """Memory and hours of a dry run rest on them; `python -m evidence.shapes` writes them."""
    assert sizes()[shape] == scorer_shapes.sizes(shape)
    assert ("tflop" in sizes()[shape]) != (shape == "blip-large-face"), "its detector cannot be counted so"


@pytest.mark.parametrize("name", [name for name, card in CARDS.items() if card.shape])
def test_no_card_types_what_its_shape_says(name: str) -> None:
    """Typed by hand, the operations of three of ten stood off the count."""
    card = CARDS[name]
    assert {key: getattr(card, key) for key in sizes()[card.shape]} == sizes()[card.shape]
    assert card.dtype != "float32", "memory is counted at two bytes"


def test_the_detector_of_faces_has_the_published_size() -> None:
    """model.safetensors of iSEE-Laboratory/llmdet_large, in float32."""
    parameters = shapes.parameters("llmdet-large")
    assert parameters == 343_055_703 and parameters * 4 / 2**30 == pytest.approx(1.28, abs=0.005)


def test_every_layout_of_a_row_has_a_shape() -> None:
    """By adapter: a row that is only data, such as another CLIP directory, needs nothing here."""
    own = {"image-classifier"}  # of the miniature alone, whose size its own tests know
    adapters = {card.adapter for card in CARDS.values() if not card.remote} - own
    assert adapters == {card.adapter for card in CARDS.values() if card.shape}


@pytest.mark.parametrize(
    ("name", "beside", "width", "gigabytes"),
    [
        ("hpsv21", 0, 2, 1.97),  # HPS_v2.1_compressed.pt
        ("imagereward", 1025 * 256 + 769 * 256, 4, 1.79),  # ImageReward.pt, with two projections unused here
        ("hpsv3", 151658 * 3584, 2, 16.6),  # HPSv3.safetensors, with the language head unused here
    ],
)
def test_checkpoints_have_the_published_sizes(name: str, beside: int, width: int, gigabytes: float) -> None:
    """Parameters times bytes is the size on the hub: no tower is missing, none is built twice."""
    parameters = sizes()[str(CARDS[name].shape)]["parameters"] + beside
    assert parameters * width / 1e9 == pytest.approx(gigabytes, abs=0.02 if gigabytes < 5 else 0.05)
    published = {"hpsv21": 986e6, "imagereward": 446.7e6, "hpsv3": 8.3e9}[name]
    assert parameters == pytest.approx(published, rel=2e-3)


def layered(name: str, layers: dict[str, int]) -> set[str]:
    """Official keys of the golden file's two-layer module, with as many layers as the full one has."""
    found = set()
    for line in golden(name)["shapes"]:
        key = str(line).partition(" ")[0]
        prefix = next((p for p in layers if key.startswith(p)), None)
        if prefix is None:
            found.add(key)
        elif re.match(r"0\.", key.removeprefix(prefix)):
            rest = key.removeprefix(prefix)[1:]
            found |= {f"{prefix}{i}{rest}" for i in range(layers[prefix])}
    return found


def test_every_official_key_of_imagereward_has_its_place() -> None:
    layers = {"blip.visual_encoder.blocks.": 24, "blip.text_encoder.encoder.layer.": 12}
    official = {key for key in layered("imagereward", layers) if not key.startswith(_UNUSED)}
    ours = set(rename(dict.fromkeys(official, torch.empty(0)), _RULES))
    assert ours == set(scorer_shapes.build("imagereward").state_dict())


def test_every_official_key_of_hpsv3_has_its_place() -> None:
    official = layered("hpsv3", {"visual.blocks.": 32, "model.layers.": 28}) - {"lm_head.weight"}
    ours = {hpsv3._renamed(key) for key in official}
    assert ours == set(scorer_shapes.build("hpsv3").state_dict())


def test_every_official_key_of_mps_has_its_place() -> None:
    layers = {"model.vision_model.encoder.layers.": 32, "model.text_model.encoder.layers.": 24}
    official = dict.fromkeys(layered("mps", layers), torch.empty(0))
    ours = set(mps.stock_state(official)[0])
    buffers = {f"own.{i}.frequencies" for i in range(4)}
    assert ours | buffers == set(scorer_shapes.build("mps").state_dict())


def open_clip_tensors(vision: int, text: int, embedding: int, layers: tuple[int, int]) -> dict[str, torch.Tensor]:
    """A ViT/14 at 224 pixels in open_clip's layout on the meta device: widths, embedding, (vision, text) layers."""
    shapes: dict[str, tuple[int, ...]] = {
        "logit_scale": (),
        "positional_embedding": (77, text),
        "token_embedding.weight": (49408, text),
        "text_projection": (text, embedding),
        "ln_final.weight": (text,),
        "ln_final.bias": (text,),
        "visual.class_embedding": (vision,),
        "visual.positional_embedding": (257, vision),
        "visual.proj": (vision, embedding),
        "visual.conv1.weight": (vision, 3, 14, 14),
    }
    shapes |= {f"visual.{ln}.{part}": (vision,) for ln in ("ln_pre", "ln_post") for part in ("weight", "bias")}
    for prefix, width, depth in (("visual.transformer", vision, layers[0]), ("transformer", text, layers[1])):
        for i in range(depth):
            at = f"{prefix}.resblocks.{i}"
            shapes |= {f"{at}.{ln}.{part}": (width,) for ln in ("ln_1", "ln_2") for part in ("weight", "bias")}
            for part, out, into in (
                ("attn.in_proj_", 3 * width, width),
                ("attn.out_proj.", width, width),
                ("mlp.c_fc.", 4 * width, width),
                ("mlp.c_proj.", width, 4 * width),
            ):
                shapes |= {f"{at}.{part}weight": (out, into), f"{at}.{part}bias": (out,)}
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}


@pytest.mark.parametrize(
    ("name", "sizes", "expected"),
    [
        ("hpsv1", (1024, 768, 768, (24, 12)), VIT_L_14),
        ("hpsv21", (1280, 1024, 1024, (32, 24)), VIT_H_14),
    ],
)
def test_the_published_checkpoint_gives_the_published_architecture(name: str, sizes: Any, expected: CLIPConfig) -> None:
    """Widths, depths and patches are read off the tensors; every one of these then has its place and its shape."""
    card: Any = CARDS[name]
    published = open_clip_tensors(*sizes)
    found = clip.configuration(published, HERE, card.vision_heads, card.text_heads, card.activation, 49407)
    for part in ("text_config", "vision_config"):
        for field in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"):
            assert getattr(getattr(found, part), field) == getattr(getattr(expected, part), field), field
    assert found.vision_config.image_size == card.image_size and found.vision_config.patch_size == 14
    wanted = {key: t.shape for key, t in on_meta(lambda: CLIPModel(found)).state_dict().items()}
    assert {key: t.shape for key, t in clip.stock_state(published)[0].items()} == wanted


def test_imagereward_reads_its_vision_tower_off_the_tensors() -> None:
    prefix = "blip.visual_encoder."
    shapes = {"patch_embed.proj.weight": (1024, 3, 16, 16), "pos_embed": (1, 197, 1024)}
    shapes |= {f"blocks.{i}.mlp.fc1.weight": (4096, 1024) for i in range(24)}
    published = {prefix + key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    vision, text = towers(published, HERE, {"hidden_size": 768, "num_hidden_layers": 12, "vocab_size": 30524}, 16)
    for field in ("hidden_size", "intermediate_size", "num_hidden_layers", "image_size", "patch_size"):
        assert getattr(vision, field) == getattr(BLIP_L, field), field
    assert text.encoder_hidden_size == 1024 and vision.layer_norm_eps == 1e-6
