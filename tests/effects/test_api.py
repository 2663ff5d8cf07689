"""Public API of the treatments: what goes in, what comes out, what is refused, and that only the arguments decide."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import effects
from tests.effects.pictures import Image, landscape

NAMES = sorted(effects.TREATMENTS)
ROOT = Path(__file__).parents[2]

shapes = st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(
    lambda size: st.sampled_from([size, (*size, 3), (*size, 4)])
)
pictures = shapes.flatmap(lambda shape: arrays(np.uint8, shape))
severities = st.floats(0, 1)
seeds = st.integers(-(2**70), 2**70)


@settings(max_examples=250)
@given(picture=pictures, name=st.sampled_from(NAMES), severity=severities, seed=seeds)
def test_any_picture_keeps_its_shape_and_is_left_alone(picture: Image, name: str, severity: float, seed: int) -> None:
    before = picture.copy()
    treated = effects.apply(picture, name, severity, seed)
    assert treated.shape == picture.shape and treated.dtype == np.uint8
    assert np.array_equal(picture, before), "the input was written to"
    assert not np.shares_memory(treated, picture)
    assert np.isfinite(effects.measure(name, picture, treated))
    if picture.ndim == 3 and picture.shape[2] == 4:
        assert np.array_equal(treated[..., 3], picture[..., 3]), "alpha was lost"


@settings(max_examples=60)
@given(picture=pictures, name=st.sampled_from(NAMES), seed=seeds)
def test_severity_zero_is_the_picture_bit_for_bit(picture: Image, name: str, seed: int) -> None:
    treated = effects.apply(picture, name, 0, seed)
    assert np.array_equal(treated, picture) and treated is not picture
    assert effects.measure(name, picture, treated) == 0


@settings(max_examples=60)
@given(picture=pictures, name=st.sampled_from(NAMES), severity=severities, seed=seeds)
def test_the_same_seed_gives_the_same_bytes(picture: Image, name: str, severity: float, seed: int) -> None:
    first, second = (effects.apply(picture, name, severity, seed) for _ in range(2))
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_memory_layout_makes_no_difference(name: str) -> None:
    picture = landscape(96)
    padded = np.zeros((96, 200, 5), np.uint8)
    padded[:, 10:106, 1:4] = picture
    layouts = [padded[:, 10:106, 1:4], np.asfortranarray(picture), picture[::-1, ::-1].copy()[::-1, ::-1]]
    expected = effects.apply(picture, name, 0.7, 3)
    for layout in layouts:
        assert not layout.flags.c_contiguous
        assert np.array_equal(effects.apply(layout, name, 0.7, 3), expected)


@pytest.mark.parametrize("name", NAMES)
def test_a_read_only_picture_can_be_treated(name: str) -> None:
    picture = landscape(64)
    picture.flags.writeable = False
    assert effects.apply(picture, name, 0.7, 3).flags.writeable


@pytest.mark.parametrize("name", NAMES)
def test_alpha_changes_nothing_about_the_colours(name: str) -> None:
    picture = landscape(64)
    alpha = np.random.default_rng(0).integers(0, 256, (64, 64, 1), np.uint8)
    treated = effects.apply(np.dstack([picture, alpha]), name, 0.7, 3)
    assert np.array_equal(treated[..., :3], effects.apply(picture, name, 0.7, 3))
    assert np.array_equal(treated[..., 3:], alpha)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"flat_lighting"}))
def test_another_seed_gives_another_picture(name: str) -> None:
    """The one left out leaves nothing to chance, and says so."""
    picture = landscape(96)
    assert len({effects.apply(picture, name, 0.8, seed).tobytes() for seed in range(12)}) > 1


_HASHES = """
import hashlib, json, sys
import cv2, effects
from tests.effects.pictures import landscape
cv2.setNumThreads(int(sys.argv[1]))
names = list(effects.TREATMENTS)[:: 1 if sys.argv[2] == "forwards" else -1]
picture = landscape(200)
print(json.dumps({n: hashlib.sha256(effects.apply(picture, n, 0.8, 11).tobytes()).hexdigest() for n in names}))
"""


def test_another_process_gives_the_same_bytes_whatever_its_threads_order_and_hash_seed() -> None:
    picture = landscape(200)
    here = {name: hashlib.sha256(effects.apply(picture, name, 0.8, 11).tobytes()).hexdigest() for name in NAMES}
    for threads, order, hash_seed in (("1", "forwards", "1"), ("4", "backwards", "2")):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", _HASHES, threads, order]
        there = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        assert json.loads(there.stdout) == here


def test_threads_side_by_side_give_the_same_bytes() -> None:
    picture = landscape(96)
    alone = [effects.apply(picture, name, 0.6, 5).tobytes() for name in NAMES]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            assert list(pool.map(lambda name: effects.apply(picture, name, 0.6, 5).tobytes(), NAMES)) == alone


@pytest.mark.parametrize("name", NAMES)
def test_global_random_state_is_neither_read_nor_moved(name: str) -> None:
    picture = landscape(64)
    np.random.seed(1)
    cv2.setRNGSeed(1)
    threads, state = cv2.getNumThreads(), np.random.get_state()[1].copy()
    first = effects.apply(picture, name, 0.7, 3)
    assert np.array_equal(np.random.get_state()[1], state) and cv2.getNumThreads() == threads
    np.random.seed(2)
    cv2.setRNGSeed(2)
    assert np.array_equal(effects.apply(picture, name, 0.7, 3), first)


PICTURE = np.zeros((4, 5, 3), np.uint8)


@pytest.mark.parametrize(
    ("image", "complaint"),
    [
        (PICTURE.astype(np.float32), r"uint8.*float32"),
        (PICTURE.astype(np.int64), r"uint8.*int64"),
        (PICTURE.astype(bool), r"uint8.*bool"),
        (PICTURE.tolist(), r"numpy array.*list"),
        (None, r"numpy array.*NoneType"),
        (np.zeros(12, np.uint8), r"shape \(12,\)"),
        (np.zeros((4, 5, 1), np.uint8), r"shape \(4, 5, 1\)"),
        (np.zeros((4, 5, 2), np.uint8), r"shape \(4, 5, 2\)"),
        (np.zeros((2, 4, 5, 3), np.uint8), r"shape \(2, 4, 5, 3\)"),
        (np.zeros((0, 5, 3), np.uint8), "empty"),
        (np.zeros((5, 0), np.uint8), "empty"),
        (np.broadcast_to(np.uint8(0), (2, 40000)), "too large"),
    ],
)
def test_a_wrong_picture_is_refused_by_name(image: Image, complaint: str) -> None:
    with pytest.raises(ValueError, match=rf"^image.*{complaint}"):
        effects.apply(image, "muted_faded", 0.5, 1)
    with pytest.raises(ValueError, match=rf"^before.*{complaint}"):
        effects.measure("muted_faded", image, PICTURE)


@pytest.mark.parametrize("severity", [-0.01, 1.01, float("nan"), float("inf"), "0.5", None, True, [0.5], 1j])
def test_a_wrong_severity_is_refused(severity: float) -> None:
    with pytest.raises(ValueError, match=r"severity must be a number from 0 to 1, not"):
        effects.apply(PICTURE, "muted_faded", severity, 1)


@pytest.mark.parametrize("severity", [np.float32(0.5), np.float64(0.5), 1, np.int64(1)])
def test_numbers_of_numpy_are_severities(severity: float) -> None:
    assert effects.apply(PICTURE, "muted_faded", severity, np.int32(3)).shape == PICTURE.shape


@pytest.mark.parametrize("seed", [0.5, "1", None, True, float("nan")])
def test_a_wrong_seed_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="seed must be an integer"):
        effects.apply(PICTURE, "muted_faded", 0.5, seed)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("muted_fadded", "did you mean 'muted_faded'"),
        ("Light_Leak", "did you mean 'light_leak'"),
        ("xyzzy", "known: intentional_blur, "),
        ("", "no such treatment ''"),
        (None, "no such treatment 'None'"),
        (["muted_faded"], "no such treatment"),
        ("negative_personal_emotion", "has no treatment: .* subject"),
    ],
)
@pytest.mark.parametrize("door", ["apply", "measure"])
def test_an_unknown_name_is_refused_with_the_nearest_known_one(door: str, name: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        effects.apply(PICTURE, name, 0.5, 1) if door == "apply" else effects.measure(name, PICTURE, PICTURE)


def test_pictures_of_two_shapes_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="one shape"):
        effects.measure("muted_faded", PICTURE, PICTURE[:2])


def test_a_name_the_package_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="aply"):
        effects.aply  # noqa: B018
