"""Published architectures at full size, on the meta device: parameter counts and names of the weights."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from evidence.cards import models
from evidence.generators import shapes

# In billions, as published; `None` where no figure is at hand and the library's own defaults stand in.
PUBLISHED = {
    "flux-dev": 11.90,
    "sdxl": 2.57,
    "sd3-medium": 2.03,
    "t5-xxl": 4.76,
    "flux-vae": 0.08,
    "sdxl-vae": 0.08,
    "sd35-medium": None,
    "sd35-large": None,
    "clip-l": None,
    "clip-bigg": None,
    "z-image": None,
    "longcat-image": None,
    "qwen-image": None,
}


def test_every_shape_is_compared_or_said_to_be_unknown() -> None:
    assert PUBLISHED.keys() == shapes.SHAPES.keys()


@pytest.mark.parametrize("name", [name for name, count in PUBLISHED.items() if count])
def test_the_parameter_count_is_the_published_one(name: str) -> None:
    assert round(shapes.parameters(name) / 1e9, 2) == PUBLISHED[name]


@pytest.mark.parametrize("name", [name for name, count in PUBLISHED.items() if not count])
def test_other_shapes_can_be_built_at_full_size(name: str) -> None:
    assert 0.1e9 < shapes.parameters(name) < 25e9


def test_flux_has_19_double_and_38_single_blocks() -> None:
    """The layout of the DanceGRPO checkpoint that replaces the transformer."""
    names = [name for name, _ in shapes.build("flux-dev").named_parameters()]
    blocks = Counter(name.split(".")[0] for name in {".".join(n.split(".")[:2]) for n in names if "_blocks." in n})
    assert blocks == {"transformer_blocks": 19, "single_transformer_blocks": 38}
    assert "single_transformer_blocks.37.proj_out.weight" in names
    assert "time_text_embed.guidance_embedder.linear_1.weight" in names


def test_medium_35_has_a_second_attention_in_its_first_13_blocks() -> None:
    """It is among image tokens alone, so value sign flip leaves it out."""
    second = [n for n, p in shapes.build("sd35-medium").named_modules() if n.endswith(".attn2")]
    assert second == [f"transformer_blocks.{block}.attn2" for block in range(13)]


def test_all_devices_are_meta() -> None:
    assert {part.device.type for part in shapes.build("sd3-medium").parameters()} == {"meta"}


@pytest.mark.parametrize("name", shapes.PARTS)
def test_the_memory_a_row_asks_for_holds_its_weights(name: str) -> None:
    weights = 2 * sum(shapes.parameters(part) for part in shapes.PARTS[name]) / 2**30
    wanted = models.load()[name].memory_gib
    assert wanted is not None
    assert weights + 2.5 < wanted < weights + 6


def denoiser_input(name: str) -> dict[str, torch.Tensor]:
    """What a denoiser reads for one picture of 1024 x 1024 pixels, on the meta device."""
    with torch.device("meta"):
        if name == "flux-dev":
            places = {"img_ids": torch.zeros(4096, 3), "txt_ids": torch.zeros(512, 3)}
            text = {"encoder_hidden_states": torch.zeros(1, 512, 4096), "pooled_projections": torch.zeros(1, 768)}
            return {"hidden_states": torch.zeros(1, 4096, 64), "guidance": torch.zeros(1), **places, **text}
        if name == "sdxl":
            added = {"text_embeds": torch.zeros(1, 1280), "time_ids": torch.zeros(1, 6)}
            text = {"encoder_hidden_states": torch.zeros(1, 77, 2048), "added_cond_kwargs": added}  # type: ignore[dict-item]
            return {"sample": torch.zeros(1, 4, 128, 128), **text}
        text = {"encoder_hidden_states": torch.zeros(1, 333, 4096), "pooled_projections": torch.zeros(1, 2048)}
        return {"hidden_states": torch.zeros(1, 16, 128, 128), **text}


@pytest.mark.parametrize(
    ("card", "shape"),
    [("flux-dev", "flux-dev"), ("sdxl", "sdxl"), ("sd35m", "sd35-medium"), ("alchemist", "sd35-large")],
)
def test_rows_state_the_operations_of_what_is_built(card: str, shape: str) -> None:
    """Hours of a dry run rest on them."""
    denoiser = shapes.build(shape)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        denoiser(timestep=torch.zeros(1, device="meta"), **denoiser_input(shape))
    assert models.load()[card].tflop == pytest.approx(counter.get_total_flops() / 1e12, rel=0.005)
