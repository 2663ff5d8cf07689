"""The scorers at full size, on the meta device: parameters, keys and file sizes against the published figures.

Nothing is downloaded: architectures are written out here as their public configuration files have them, and the
published key names are those of the official modules (golden/*.npz), repeated for every layer.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import init_empty_weights
from torch import nn
from transformers import (
    BertConfig,
    BlipConfig,
    BlipForImageTextRetrieval,
    BlipTextConfig,
    BlipVisionConfig,
    CLIPConfig,
    CLIPModel,
    MMGroundingDinoConfig,
    MMGroundingDinoForObjectDetection,
    Qwen2VLConfig,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    SiglipVisionConfig,
    SiglipVisionModel,
    SwinConfig,
)

from evidence import scorers
from evidence.scorers import aesthetic, clip, hpsv3, mps
from evidence.scorers.base import rename
from evidence.scorers.blip import _RULES, _UNUSED, ImageReward, towers
from tests.evidence.golden.folders import golden

CARDS = scorers.read()
HERE = Path("checkpoint")


def tower(width: int, layers: int, heads: int) -> dict[str, int]:
    return {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
    }


VIT_L_14 = CLIPConfig(
    text_config=tower(768, 12, 12), vision_config=tower(1024, 24, 16) | {"patch_size": 14}, projection_dim=768
)
VIT_H_14 = CLIPConfig(
    text_config=tower(1024, 24, 16), vision_config=tower(1280, 32, 16) | {"patch_size": 14}, projection_dim=1024
)
SO400M_14 = SiglipVisionConfig(**tower(1152, 27, 16) | {"intermediate_size": 4304, "image_size": 384, "patch_size": 14})
BLIP_L = BlipVisionConfig(**tower(1024, 24, 16), image_size=224, patch_size=16)
BERT = BlipTextConfig(**tower(768, 12, 12), vocab_size=30524, encoder_hidden_size=1024, max_position_embeddings=512)
QWEN2_VL_7B = Qwen2VLConfig(
    text_config={
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "max_position_embeddings": 32768,
        "vocab_size": 151658,  # 151,657 tokens of the tokenizer and the reward token
        "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
    },
    vision_config={"depth": 32, "embed_dim": 1280, "num_heads": 16, "mlp_ratio": 4, "hidden_size": 3584},
)
QWEN3_VL_4B = Qwen3VLConfig(
    text_config={
        "hidden_size": 2560,
        "intermediate_size": 9728,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 151936,
        "max_position_embeddings": 262144,
    },
    vision_config={
        "depth": 24,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_heads": 16,
        "out_hidden_size": 2560,
        "deepstack_visual_indexes": [5, 11, 17],
    },
)

LLMDET_L = MMGroundingDinoConfig(
    backbone_config=SwinConfig(
        embed_dim=192,
        depths=[2, 2, 18, 2],
        num_heads=[6, 12, 24, 48],
        window_size=12,
        image_size=384,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    ),
    text_config=BertConfig(),
    num_feature_levels=5,
    decoder_bbox_embed_share=False,
    decoder_cls_embed_share=False,
)


def image_text_retrieval() -> nn.Module:
    vision = BLIP_L.to_dict() | {"image_size": 384}
    return BlipForImageTextRetrieval(BlipConfig(text_config=BERT.to_dict(), vision_config=vision))


def on_meta(make: Any) -> nn.Module:
    with init_empty_weights():
        return make()  # type: ignore[no-any-return]


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


ARCHITECTURES = {
    "hpsv1": lambda: CLIPModel(VIT_L_14),
    "clip-l": lambda: CLIPModel(VIT_L_14),
    "hpsv21": lambda: CLIPModel(VIT_H_14),
    "pickscore": lambda: CLIPModel(VIT_H_14),
    "mps": lambda: mps.Mps(VIT_H_14, 4, 16),
    "imagereward": lambda: ImageReward(BLIP_L, BERT),
    "blip-l": image_text_retrieval,
    "blip-l-face": lambda: nn.ModuleList([image_text_retrieval(), MMGroundingDinoForObjectDetection(LLMDET_L)]),
    "hpsv3": lambda: hpsv3.Hpsv3(QWEN2_VL_7B),
    "j-judge": lambda: Qwen3VLForConditionalGeneration(QWEN3_VL_4B),
    "aesthetic-v25": lambda: nn.ModuleList(
        [SiglipVisionModel(SO400M_14), *(nn.Linear(*pair) for pair in pairwise((1152, *aesthetic.WIDTHS)))]
    ),
}
WIDE = {"blip-l-face": 343_055_703}  # parameters at four bytes: the detector computes in float32
TIED = {  # built twice on the meta device: counted once
    "j-judge": 151936 * 2560,  # the output head of the judge is its embedding
    "blip-l-face": 6 * (2 * 257 * 256 + 257 * 4 + 1),  # the heads of the detector are those of its decoder's six layers
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_rows_state_the_parameters_and_the_memory_of_what_is_built(name: str) -> None:
    parameters = count(on_meta(ARCHITECTURES[name])) - TIED.get(name, 0)
    card = CARDS[name]
    assert card.parameters == parameters
    size = parameters * 2 + WIDE.get(name, 0) * 2
    assert card.memory_gib == pytest.approx(size / 2**30, abs=0.01) and card.dtype != "float32"


def test_the_detector_of_faces_has_the_published_size() -> None:
    """model.safetensors of iSEE-Laboratory/llmdet_large, in float32."""
    parameters = count(on_meta(lambda: MMGroundingDinoForObjectDetection(LLMDET_L))) - TIED["blip-l-face"]
    assert parameters == WIDE["blip-l-face"] and parameters * 4 / 2**30 == pytest.approx(1.28, abs=0.005)


def test_every_layout_of_a_row_has_an_architecture_here() -> None:
    """By adapter: a row that is only data, such as another CLIP directory, needs nothing here."""
    own = {"image-classifier"}  # of the miniature alone, whose size its own tests know
    adapters = {card.adapter for card in CARDS.values() if not card.remote} - own
    assert adapters == {CARDS[name].adapter for name in ARCHITECTURES}


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
    parameters = count(on_meta(ARCHITECTURES[name])) + beside
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
    assert ours == set(on_meta(ARCHITECTURES["imagereward"]).state_dict())


def test_every_official_key_of_hpsv3_has_its_place() -> None:
    official = layered("hpsv3", {"visual.blocks.": 32, "model.layers.": 28}) - {"lm_head.weight"}
    ours = {hpsv3._renamed(key) for key in official}
    assert ours == set(on_meta(ARCHITECTURES["hpsv3"]).state_dict())


def test_every_official_key_of_mps_has_its_place() -> None:
    layers = {"model.vision_model.encoder.layers.": 32, "model.text_model.encoder.layers.": 24}
    official = dict.fromkeys(layered("mps", layers), torch.empty(0))
    ours = set(mps.stock_state(official)[0])
    buffers = {f"own.{i}.frequencies" for i in range(4)}
    assert ours | buffers == set(on_meta(ARCHITECTURES["mps"]).state_dict())


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
