"""Published architectures at full size, on the meta device: parameter counts, names of the weights, what cards say."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from evidence import shapes
from evidence.cards import models
from evidence.cards.sized import sizes
from evidence.shapes import scorers
from ledger.problems import InputError

TABLES = shapes.read()


@pytest.mark.parametrize("name", [name for name, table in TABLES.items() if "billions" in table])
def test_the_parameter_count_is_the_published_one(name: str) -> None:
    """To the digit that its makers print, or within one per cent where they print more."""
    published = Decimal(TABLES[name]["billions"])
    count = Decimal(shapes.parameters(name)) / 10**9
    rounding = Decimal(10) ** published.as_tuple().exponent / 2  # type: ignore[operator]
    assert abs(count - published) <= max(rounding, published / 100)


@pytest.mark.parametrize("name", [name for name, table in TABLES.items() if "billions" not in table])
def test_a_shape_without_a_published_count_can_be_built_at_full_size(name: str) -> None:
    assert 0.08e9 < shapes.parameters(name) < 11e9


def test_every_shape_says_where_its_configuration_stands() -> None:
    assert all(table["source"] for table in TABLES.values())


def test_every_generator_with_weights_of_a_hub_has_a_shape() -> None:
    for card in models.load().values():
        if card.weights.startswith("hf-hub:"):
            assert card.shape in shapes.PARTS and card.memory_gib and card.tflop and card.parameters, card.id


def test_the_parts_of_every_generator_are_in_use() -> None:
    used = {part for parts in shapes.PARTS.values() for part in parts}
    heading = shapes.PUBLISHED.read_text("utf-8").partition("- scorers\n")
    assert {name for name in TABLES if f"[{name}]" in heading[0]} == used
    assert shapes.PARTS.keys() | scorers.SCORERS.keys() == sizes().keys()


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


def test_klein_reads_three_layers_of_its_text_encoder() -> None:
    """Its transformer is as wide as the three layers that the adapter asks for."""
    from evidence.generators.flux2_klein import Flux2Klein

    width = shapes.config("qwen3-8b")["hidden_size"]
    assert shapes.config("flux2-klein-9b")["joint_attention_dim"] == len(Flux2Klein.layers) * width


def test_all_devices_are_meta() -> None:
    assert {part.device.type for part in shapes.build("sd35-medium").parameters()} == {"meta"}


@pytest.mark.parametrize("name", shapes.PARTS)
def test_the_sizes_that_cards_take_over_are_those_of_what_is_built(name: str) -> None:
    """Memory and hours of a dry run rest on them; `python -m evidence.shapes` writes them."""
    assert sizes()[name] == shapes.sizes(name)


def test_a_card_may_say_its_own_memory_and_must_name_a_known_shape(tmp_path: Path) -> None:
    card = '[a]\nlabel = "A"\nadapter = "flux"\nweights = "local-dir:x"\nshape = "flux-dev"\nmemory_gib = 20\n'
    profile = '[a.profiles.controlled]\ndtype = "float32"\nsteps = 1\nguidance = 1.0\nsize = 64\n'
    file = tmp_path / "models.toml"
    file.write_text(card + profile)
    (found,) = models.load(file).values()
    assert (found.memory_gib, found.tflop) == (20, sizes()["flux-dev"]["tflop"])
    file.write_text(card.replace("flux-dev", "flux-def") + profile)
    with pytest.raises(InputError, match=r"models.toml:5 a.shape: .*no shape of this name, did you mean 'flux-dev'"):
        models.load(file)
