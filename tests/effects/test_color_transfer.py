"""Tables of colour transfer: what it looks up is what indexing would, at any shape and layout."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from effects import color_transfer
from tests.effects.pictures import Image

sizes = st.tuples(st.integers(1, 70), st.integers(1, 70))
greys = sizes.flatmap(lambda size: arrays(np.uint8, size))
colours = sizes.flatmap(lambda size: arrays(np.uint8, (*size, 3)))
tables = arrays(np.uint8, 256)


@settings(max_examples=60)
@given(picture=greys | colours, table=tables)
def test_looking_up_is_indexing(picture: Image, table: Image) -> None:
    before = picture.copy()
    assert np.array_equal(color_transfer.look_up(picture, table), table[picture])
    assert np.array_equal(picture, before), "the input was written to"


@settings(max_examples=60)
@given(picture=greys | colours, table=arrays(np.uint8, (256, 3)))
def test_a_table_of_three_columns_has_one_for_each_channel(picture: Image, table: Image) -> None:
    channels = [picture] * 3 if picture.ndim == 2 else list(np.moveaxis(picture, 2, 0))
    expected = np.dstack([table[channel, column] for column, channel in enumerate(channels)])
    assert np.array_equal(color_transfer.look_up(picture, table), expected)


@pytest.mark.parametrize("picture", [np.arange(240, dtype=np.uint8).reshape(8, 10, 3)], ids=["ramp"])
def test_windows_and_read_only_pictures_are_looked_up_alike(picture: Image) -> None:
    table = np.arange(255, -1, -1, dtype=np.uint8)
    for view in (
        picture[2:7, 3:9],
        picture[::-2],
        picture[..., 1],
        picture.transpose(1, 0, 2),
        np.asfortranarray(picture),
    ):
        assert np.array_equal(color_transfer.look_up(view, table), 255 - view)
    picture.flags.writeable = False
    assert color_transfer.look_up(picture, table).flags.writeable


@settings(max_examples=40)
@given(picture=colours, table=arrays(np.uint16, 256))
def test_decoding_is_indexing_in_sixteen_bits(picture: Image, table: color_transfer.Linear) -> None:
    decoded = color_transfer.decode(picture, table)
    assert decoded.dtype == np.uint16 and np.array_equal(decoded, table[picture])


def test_every_code_survives_the_way_to_linear_light_and_back() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(color_transfer.encode(color_transfer.decode(ramp)), ramp)
    assert np.array_equal(
        color_transfer.encode(color_transfer.decode(ramp, color_transfer.DECODE_SCENE), color_transfer.ENCODE_SCENE),
        ramp,
    )
