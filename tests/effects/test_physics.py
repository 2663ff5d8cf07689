"""Where a treatment claims a mechanism, it is there: light adds, lenses scale, codecs make blocks, tape smears."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

import effects
from effects import textures
from tests.effects.pictures import Image, landscape, linear, still_life, texture


def flat(value: int | tuple[int, int, int], side: int = 128) -> Image:
    return np.full((side, side, 3), value, np.uint8)


def seeds_where(name: str, picture: Image, holds: object, count: int = 2) -> list[int]:
    """The first seeds for which `holds(treated)` at severity 1: a treatment may choose its variant by seed."""
    found = [seed for seed in range(40) if holds(effects.apply(picture, name, 1.0, seed))]  # type: ignore[operator]
    assert len(found) >= count, f"{name} never shows this variant"
    return found[:count]


def test_a_quarter_of_severity_is_exactly_one_stop_of_linear_light() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 8, 0).repeat(3, 2)
    for seed in seeds_where("exposure_extremes", ramp, lambda treated: treated.mean() > 200):
        brighter = effects.apply(ramp, "exposure_extremes", 0.25, seed)
        exact = np.clip(2 * linear(ramp), 0, 1)
        assert np.abs(linear(brighter) - exact).max() < 0.005
        assert np.array_equal(brighter[exact == 1], np.full_like(brighter[exact == 1], 255))
    for seed in seeds_where("exposure_extremes", ramp, lambda treated: treated.mean() < 60):
        darker = effects.apply(ramp, "exposure_extremes", 0.25, seed)
        assert np.abs(linear(darker) - linear(ramp) / 2).max() < 0.005


def test_a_light_leak_adds_the_same_light_whatever_it_falls_on() -> None:
    added = []
    for value in (0, 40, 90):
        leaked = linear(effects.apply(flat(value), "light_leak", 0.4, 2)).astype(float)
        assert (leaked >= linear(flat(value)) - 1e-9).all(), "a leak took light away"
        added.append(np.where(leaked < 0.9, leaked - linear(flat(value)), np.nan))
    for other in added[1:]:
        both = ~np.isnan(added[0]) & ~np.isnan(other)
        assert both.mean() > 0.5
        assert np.abs(added[0] - other)[both].max() < 0.012, "not additive in linear light"


def test_a_light_leak_is_red_before_it_is_yellow_before_it_is_white() -> None:
    leaked = effects.apply(flat(0, 200), "light_leak", 1.0, 3).reshape(-1, 3).astype(int)
    assert (leaked[:, 0] >= leaked[:, 1] - 1).all() and (leaked[:, 1] >= leaked[:, 2] - 1).all()


def test_two_exposures_add_their_linear_light() -> None:
    for value in (60, 120):
        doubled = effects.apply(flat(value), "double_exposure", 0.8, 1)
        expected = linear(np.uint8(value)) * (1 - 0.45 * 0.8 + 0.85 * 0.8)
        assert np.abs(linear(doubled) - expected).max() < 0.006


def test_a_double_exposure_shows_the_picture_mirrored() -> None:
    """The ghost of a picture that is bright on the left only lies, for some seed, on the right."""
    picture = flat(10)
    picture[:, :40] = 200
    treated = [effects.apply(picture, "double_exposure", 1.0, seed) for seed in range(12)]
    assert any(t[:, 100:].mean() > 60 for t in treated) and any(t[:, 100:].mean() < 30 for t in treated)


def test_blur_keeps_the_light_of_a_scene_and_spreads_it_out() -> None:
    lamp = flat(30, 161)
    lamp[79:82, 79:82] = 200
    for seed in range(6):
        spread = [effects.apply(lamp, "intentional_blur", severity, seed) for severity in (0.3, 1.0)]
        widths = [int((s.max(-1) > 34).sum()) for s in spread]
        assert 9 < widths[0] < widths[1]
        assert spread[1].max() < spread[0].max() < 200


def test_motion_blur_is_a_line_and_defocus_is_a_disc() -> None:
    lamp = flat(0, 201)
    lamp[99:102, 99:102] = 255
    shapes = []
    for seed in range(16):
        rows, columns = np.nonzero(effects.apply(lamp, "intentional_blur", 1.0, seed).max(-1) > 5)
        spread = np.sqrt(np.linalg.eigvalsh(np.cov(np.stack([columns, rows]))))
        shapes.append(spread[1] / spread[0])
    assert min(shapes) < 1.15, "no seed gives a disc"
    assert max(shapes) > 6, "no seed gives a line"


@pytest.mark.parametrize("value", [0, 1, 2, 7, 30, 137, 254, 255])
def test_blur_of_a_flat_picture_changes_nothing(value: int) -> None:
    """Dark codes too: the tables to light and back lose none of them."""
    for seed in range(6):
        assert (effects.apply(flat(value, 64), "intentional_blur", 1.0, seed) == value).all()


def test_grain_is_strongest_in_the_mid_tones() -> None:
    def grain(value: int) -> float:
        noise = effects.apply(flat(value, 256), "film_artifacts", 0.5, 4).astype(float)
        return float(np.subtract(*np.percentile(noise, [84, 16])) / 2)  # dust does not count

    assert grain(128) > 2.5 * grain(245) and grain(128) > 2.5 * grain(8)
    assert grain(128) > 6


def _alike(first: Image, second: Image) -> float:
    return abs(float(np.corrcoef(first.ravel(), second.ravel())[0, 1]))


def test_grain_differs_from_seed_to_seed() -> None:
    first, second = (effects.apply(flat(128, 256), "film_artifacts", 0.5, seed)[..., 1] for seed in (1, 2))
    assert _alike(first, second) < 0.05


@pytest.mark.parametrize("tile", [textures.grain_texture(1.0)[..., 1], textures.tape_texture()], ids=["grain", "tape"])
def test_noise_does_not_repeat_in_a_picture_larger_than_its_tile(tile: Image) -> None:
    """Two places of a large print that are the length of a tile apart had the same grain."""
    noise = textures.window(tile, np.random.default_rng(1), 2100, 2100)
    for distance in (128, textures.SIDE // 2, textures.SIDE, 3 * textures.SIDE // 2):
        assert _alike(noise[distance:], noise[:-distance]) < 0.05
        assert _alike(noise[:, distance:], noise[:, :-distance]) < 0.05


def test_bright_lamps_get_a_red_halo_on_film() -> None:
    lamp = flat(20, 256)
    lamp[108:148, 108:148] = 255
    halo = effects.apply(lamp, "film_artifacts", 0.6, 1)[95:106, 108:148].astype(float).mean((0, 1))
    assert halo[0] > halo[2] + 8


def test_tape_keeps_fine_luma_and_loses_fine_colour() -> None:
    """A grating of 12 pixels survives in grey and drowns in colour, as in a signal with little chroma bandwidth."""
    wave = 50 * np.sign(np.sin(2 * np.pi * np.arange(240) / 12))[None, :, None]
    grey = np.clip(128 + wave * np.ones((240, 1, 3)), 0, 255).astype(np.uint8)
    colour = np.clip(128 + wave * np.array([1.0, -0.51, 0.0]) * np.ones((240, 1, 1)), 0, 255).astype(np.uint8)
    middle = np.s_[20:200, 30:210]

    def swing(picture: Image) -> float:
        difference = picture[middle].astype(float)
        return float((difference[..., 0] - difference[..., 1]).std())

    def luma_swing(picture: Image) -> float:
        return float(picture[middle].astype(float).mean(-1).mean(0).std())

    assert swing(effects.apply(colour, "analog_degradation", 0.8, 1)) < 0.35 * swing(colour)
    assert luma_swing(effects.apply(grey, "analog_degradation", 0.8, 1)) > 0.3 * luma_swing(grey)


def test_tape_colour_comes_late() -> None:
    picture = flat((90, 90, 90), 240)
    picture[:, 120:] = (190, 60, 60)
    redness = effects.apply(picture, "analog_degradation", 0.8, 1)[20:200].astype(float)
    profile = (redness[..., 0] - redness[..., 1]).mean(0)
    assert np.argmax(profile > 65) >= 122


def test_tape_has_scan_lines_and_a_torn_band_at_the_bottom() -> None:
    picture = flat(150, 240)
    picture[:, 110:130] = 20
    taped = effects.apply(picture, "analog_degradation", 0.8, 1).astype(float)
    rows = taped[20:200, :90].mean((1, 2))
    assert np.abs(np.diff(rows)).mean() > 20, "no scan lines"
    bar = np.array([np.argmin(cv2.blur(row.mean(-1)[None], (9, 1))[0]) for row in taped])
    assert np.abs(bar[225:] - 120).mean() > 3 * np.abs(bar[20:200] - 120).mean(), "the bottom is not torn"


def test_compression_makes_steps_at_the_borders_of_eight_pixel_blocks() -> None:
    """At this severity and size nothing is enlarged, so the codec's own grid must show."""
    picture = np.clip(128 + 40 * texture(192, 192, 3)[..., None] * np.array([1.0, 0.9, 0.8]), 0, 255).astype(np.uint8)
    coded = cv2.cvtColor(effects.apply(picture, "digital_artifacts", 0.3, 1), cv2.COLOR_RGB2GRAY).astype(float)
    steps = np.abs(np.diff(coded, axis=1)).mean(0)
    assert steps[7::8].mean() > 1.5 * np.delete(steps, np.s_[7::8]).mean()


def test_compression_is_the_codecs_own() -> None:
    """A low severity is a plain JPEG round trip: some quality of the codec reproduces it bit for bit."""
    picture = still_life(96)
    treated = effects.apply(picture, "digital_artifacts", 0.1, 1)
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    trips = [
        cv2.imdecode(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, q])[1], cv2.IMREAD_COLOR) for q in range(101)
    ]
    assert any(np.array_equal(cv2.cvtColor(trip, cv2.COLOR_BGR2RGB), treated) for trip in trips)


def test_small_structures_vanish_and_large_ones_keep_hard_edges() -> None:
    picture = flat(60, 200)
    picture[40:160, 40:160] = 200
    picture[80:84, 60:140:12] = 30
    plain = effects.apply(picture, "bad_or_no_details", 0.8, 1)
    assert plain[70:130, 70:130].min() > 180, "the small marks are still there"
    inside, outside = plain[60:140, 60:140], plain[:28]
    assert abs(inside.mean() - 200) < 6 and abs(outside.mean() - 60) < 6
    assert np.abs(np.diff(plain[100, :100, 0].astype(int))).max() > 35, "the large edge went soft"


def test_fringes_grow_with_the_distance_from_the_axis_and_green_stays() -> None:
    board = (np.indices((300, 300)).sum(0) // 12 % 2 * 180 + 40).astype(np.uint8)[..., None].repeat(3, 2)
    treated = effects.apply(board, "chromatic_aberration", 0.5, 1)
    assert np.array_equal(treated[..., 1], board[..., 1])
    difference = np.abs(treated[..., 0].astype(int) - treated[..., 1])
    rows, columns = np.indices((300, 300)) - 150
    radius = np.hypot(rows, columns)
    assert difference[radius < 40].mean() < 0.5 * difference[(radius > 80) & (radius < 130)].mean()


def test_red_is_magnified_and_blue_reduced() -> None:
    picture = flat(0, 300)
    cv2.circle(picture, (150, 150), 100, (255, 255, 255), -1)
    red, green, blue = (
        int((effects.apply(picture, "chromatic_aberration", 1.0, 1)[..., c] > 127).sum()) for c in range(3)
    )
    assert 1.10 < red / green < 1.17 and 0.84 < blue / green < 0.91


def test_a_cast_is_a_filter_on_linear_light() -> None:
    """On greys each channel loses one and the same share of its light, however bright the grey."""
    for seed in range(4):
        shares = []
        for value in (90, 150, 230):
            tinted = linear(effects.apply(flat(value, 4), "sickly_cast", 1.0, seed)[0, 0])
            shares.append(tinted / linear(np.uint8(value)))
        assert np.ptp(shares, axis=0).max() < 0.02
        assert np.ptp(shares[0]) > 0.3, "no cast at all"


@pytest.mark.parametrize("name", ["muted_faded", "low_contrast_oppressive", "sickly_cast"])
def test_one_matrix_treats_a_mixture_like_the_mixture_of_the_treated(name: str) -> None:
    first, second = landscape(64), still_life(64)
    mixed = ((first.astype(int) + second) // 2).astype(np.uint8)
    treated = effects.apply(mixed, name, 0.5, 3).astype(int)
    apart = (effects.apply(first, name, 0.5, 3).astype(int) + effects.apply(second, name, 0.5, 3)) / 2
    assert np.percentile(np.abs(treated - apart), 95) <= 3


def test_faded_is_light_and_oppressive_is_heavy() -> None:
    picture = still_life()
    faded, heavy = (effects.apply(picture, name, 1.0, 1) for name in ("muted_faded", "low_contrast_oppressive"))
    assert faded.mean() > picture.mean() > heavy.mean()


def test_white_balance_differs_from_place_to_place() -> None:
    treated = effects.apply(flat(128, 200), "color_inconsistency", 0.8, 1).astype(int)
    warmth = treated[..., 0] - treated[..., 2]
    assert np.percentile(warmth, 95) > 30 and np.percentile(warmth, 5) < -30


def test_flat_light_takes_the_gradient_and_leaves_the_texture() -> None:
    shade = np.linspace(50, 210, 200)[None, :, None]
    mark = 20 * np.sign(np.sin(np.arange(200) * 0.9))[:, None, None]
    picture = np.clip(shade + mark + np.zeros((200, 200, 3)), 0, 255).astype(np.uint8)
    lit = effects.apply(picture, "flat_lighting", 1.0, 1).astype(float)

    def slope(p: Image) -> float:
        return float(np.ptp(p[:, 20:180].mean((0, 2))))

    def mark_size(p: Image) -> float:
        return float(p[:, 90:110].mean((1, 2)).std())

    assert slope(lit) < 0.25 * slope(picture.astype(float))
    assert mark_size(lit) > 0.35 * mark_size(picture.astype(float))


def test_a_flash_falls_off_from_its_centre_outwards() -> None:
    for seed in range(6):
        light = linear(effects.apply(flat(110, 200), "harsh_or_insufficient_flash", 0.8, seed)).mean(-1)
        rows, columns = np.indices(light.shape)
        top = np.unravel_index(np.argmax(cv2.blur(light, (9, 9))), light.shape)
        distance = np.hypot(rows - top[0], columns - top[1])
        rings = [light[(distance >= r) & (distance < r + 20)].mean() for r in range(0, 140, 20)]
        assert all(np.diff(rings) < 0), rings


def test_a_flash_is_either_too_much_or_too_little() -> None:
    centre = [effects.apply(flat(110, 100), "harsh_or_insufficient_flash", 1.0, seed).max() for seed in range(12)]
    assert max(centre) == 255 and min(centre) < 110


@pytest.mark.parametrize("severity", [0.3, 0.6, 1.0])
def test_a_tilted_frame_is_filled_from_the_picture(severity: float) -> None:
    """Nothing is mirrored or black at the corners: a gradient stays a gradient."""
    rows, columns = np.indices((180, 240))
    picture = np.stack([columns, rows, np.full_like(rows, 128)], -1).astype(np.uint8)
    for seed in range(4):
        tilted = effects.apply(picture, "unconventional_framing", severity, seed).astype(float)
        for channel in range(2):
            bend = np.abs(np.diff(tilted[..., channel], 2, axis=1))
            assert bend.max() <= 2, "the border was mirrored into the frame"


def test_an_occluder_covers_the_subject_first() -> None:
    picture = flat(128, 200)
    picture[60:140, 60:140] = np.random.default_rng(1).integers(0, 256, (80, 80, 3))
    for seed in range(9):
        changed = (effects.apply(picture, "obstructed_cropping", 1.0, seed) != picture).any(-1)
        assert changed[70:130, 70:130].mean() > 0.55
        assert 0.5 < changed.mean() < 0.95


def test_only_a_region_is_out_of_scale() -> None:
    picture = landscape(200)
    treated = effects.apply(picture, "scale_inconsistency", 0.4, 1)
    changed = (treated != picture).any(-1)
    assert 0.1 < changed.mean() < 0.7
    rows, columns = np.nonzero(changed)
    assert not changed[: rows.min()].any() and not changed[:, : columns.min()].any()


def test_far_and_near_are_both_to_be_had() -> None:
    picture = still_life()
    edges = [cv2.Laplacian(effects.apply(picture, "unconventional_scale", 1.0, s), cv2.CV_64F).std() for s in range(12)]
    zooms = {
        round(effects.measure("unconventional_scale", picture, effects.apply(picture, "unconventional_scale", 1.0, s)))
        for s in range(12)
    }
    assert zooms == {2, 3} and len(set(edges)) > 2


def test_rot_and_decay_only_spread() -> None:
    """What is eaten at a lower severity stays eaten at a higher one."""
    picture = flat((180, 176, 170), 200)
    for name in ("disgust_and_aversion", "unfinished_raw"):
        eaten = [(cv2.absdiff(effects.apply(picture, name, s, 2), picture).max(-1) > 30) for s in (0.3, 0.6, 0.9)]
        for less, more in pairwise(eaten):
            assert (less & ~more).sum() < 0.06 * less.sum()


def test_an_abstract_photo_has_few_colours_left() -> None:
    treated = effects.apply(still_life(200), "abstract_photo", 1.0, 1)
    colours, counts = np.unique(treated.reshape(-1, 3), axis=0, return_counts=True)
    assert counts[np.argsort(counts)[-14:]].sum() > 0.9 * counts.sum() and len(colours) > 3


def test_an_unfinished_picture_is_painted_at_the_subject_and_bare_at_the_rim() -> None:
    picture = flat((40, 60, 120), 200)
    picture[80:120, 80:120] = np.random.default_rng(1).integers(0, 256, (40, 40, 3))
    treated = effects.apply(picture, "unfinished_raw", 0.7, 1)
    changed = cv2.absdiff(treated, picture).max(-1) > 20
    assert changed[:12].mean() > 0.8 and changed[85:115, 85:115].mean() < 0.2


def test_the_droste_picture_holds_itself_turned_over() -> None:
    picture = landscape(240)
    matches = []
    for seed in range(10):
        treated = effects.apply(picture, "surrealism", 0.5, seed)
        small = cv2.resize(cv2.flip(picture, -1), (120, 120), interpolation=cv2.INTER_AREA)[5:22, 5:-5]
        matches.append(cv2.matchTemplate(treated, small, cv2.TM_CCOEFF_NORMED).max())
    assert max(matches) > 0.95


def test_gloom_darkens_most_at_the_corners() -> None:
    light = effects.apply(flat(170, 200), "atmospheric_distress", 0.8, 1).astype(float).mean(-1)
    corners = np.mean(
        [light[:20, :20].mean(), light[:20, -20:].mean(), light[-20:, :20].mean(), light[-20:, -20:].mean()]
    )
    assert corners < 0.6 * light[80:120, 80:120].mean() and light.max() < 150


def test_a_snapshot_carries_the_date_in_orange() -> None:
    stamp = effects.apply(flat(20, 240), "amateur_snapshot_energy", 0.8, 1).astype(int)[200:, 120:]
    orange = (stamp[..., 0] > 200) & (stamp[..., 0] - stamp[..., 2] > 120)
    assert 30 < orange.sum() < 3000


def test_decay_leaves_white_chips_dark_cracks_and_brown_stains() -> None:
    decayed = effects.apply(flat((150, 150, 150), 256), "decay_and_degradation", 0.8, 1).astype(int)
    assert (decayed.min(-1) > 180).mean() > 0.02, "nothing flaked off"
    assert (decayed.max(-1) < 60).mean() > 0.02, "nothing cracked"
    assert (decayed[..., 0] - decayed[..., 2]).mean() > 15, "nothing is brown"
