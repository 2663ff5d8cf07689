"""The one decoder: whatever a file holds comes out as upright sRGB of eight bits, or is refused by name."""

from __future__ import annotations

import io
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from effects.color_transfer import to_linear, to_srgb
from effects.decode import decode, flatten, header
from tests.effects import profiles

RAMP = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(4, 64)
COLOURS = np.array([[(200, 60, 60), (60, 200, 60), (60, 60, 200), (128, 128, 128), (0, 0, 0), (255, 255, 255)]], "u1")


def _file(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def _png(depth: int, colour: int, rows: list[bytes], width: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG as other programs write it, in depths that Pillow does not save."""
    size = struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [(b"IHDR", size), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    packed = (struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def _through(primaries, gamma: float | None, colours: np.ndarray) -> np.ndarray:
    """What `colours` of an RGB space with D65 white look like in sRGB, by the definitions."""
    values = colours / 255
    light = to_linear(values) if gamma is None else values**gamma
    light = light @ (np.linalg.inv(profiles.to_xyz(profiles.SRGB)) @ profiles.to_xyz(primaries)).T
    return np.rint(255 * to_srgb(light))


# -- depth and mode ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_sixteen_bits_of_grey_are_scaled_not_clipped(form, dtype):
    """Pillow's own conversion turns every value above 255 white."""
    content = _file(Image.fromarray(RAMP.astype(dtype)), form)
    assert np.array_equal(decode(content)[..., 1].ravel(), np.arange(256))


def test_twelve_bits_of_grey_reach_white():
    """Microscopes and scanners write them; taken for sixteen bits, the picture is nearly black."""
    values = [0, 1024, 2048, 4095]
    packed = int("".join(f"{value:012b}" for value in values), 2).to_bytes(6)
    tags = [(256, 4), (257, 1), (258, 12), (259, 1), (262, 1), (273, 122), (277, 1), (278, 1), (279, 6)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    content = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + b"\0\0\0\0" + packed
    assert decode(content)[0, :, 0].tolist() == [0, 64, 128, 255]


def test_a_portable_greymap_of_sixteen_bits_is_scaled():
    content = b"P5\n64 4\n65535\n" + RAMP.astype(">u2").tobytes()
    assert np.array_equal(decode(content)[..., 0].ravel(), np.arange(256))


def test_floats_run_from_black_at_0_to_white_at_1():
    content = _file(Image.fromarray((RAMP / 65535).astype(np.float32)), "TIFF")
    assert np.array_equal(decode(content)[..., 0].ravel(), np.arange(256))


@pytest.mark.parametrize(
    "values", [np.float32([[0, 128, 255]]), np.float32([[0, np.nan]]), np.int32([[-5, 7]]), np.int32([[0, 70000]])]
)
def test_greys_beyond_the_range_are_refused_rather_than_guessed(values):
    with pytest.raises(ValueError, match=r"'scan.tif' has grey values from .* must lie from 0 \(black\)"):
        decode(_file(Image.fromarray(values), "TIFF"), "scan.tif")


@pytest.mark.parametrize("values", [RAMP, (RAMP >> 8).astype(np.uint8)], ids=["16 bits", "8 bits"])
def test_a_tiff_whose_white_is_zero_is_not_shown_as_a_negative(values):
    content = _file(Image.fromarray(values), "TIFF")
    photometric = struct.pack("<HHI", 262, 3, 1)
    assert content.count(photometric + b"\1\0") == 1
    negative = content.replace(photometric + b"\1\0", photometric + b"\0\0")
    assert np.array_equal(decode(negative)[..., 0].ravel(), np.arange(256)[::-1])


@pytest.mark.parametrize(
    ("mode", "form", "slack"),
    [
        ("RGB", "PNG", 0),
        ("P", "PNG", 0),
        ("CMYK", "TIFF", 0),
        ("CMYK", "JPEG", 16),
        ("YCbCr", "TIFF", 2),
        ("LAB", "TIFF", 8),
    ],
)
def test_every_mode_gives_the_colours_of_the_picture(mode, form, slack):
    picture = Image.fromarray(np.repeat(np.repeat(COLOURS, 16, 0), 16, 1))
    if mode == "LAB":
        spaces = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        stored = ImageCms.profileToProfile(picture, *spaces, outputMode="LAB")
    else:
        stored = picture.quantize(6) if mode == "P" else picture.convert(mode)
    found = decode(_file(stored, form))
    assert found.shape == (16, 96, 3)
    assert np.abs(found[8, 8::16].astype(int) - COLOURS[0]).max() <= slack


def test_one_bit_and_grey_are_rgb():
    assert decode(_file(Image.fromarray(np.eye(8, dtype=bool)), "PNG"))[..., 2].tolist() == (255 * np.eye(8)).tolist()
    assert decode(_file(Image.new("L", (5, 3), 77), "JPEG")).tolist() == [[[77] * 3] * 5] * 3


# -- transparency ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_stays_straight(mode, form):
    straight = np.array([[[200, 200, 200, 0], [200, 200, 200, 128], [90, 90, 90, 255]]], np.uint8)
    lossless = {"lossless": True, "exact": True} if form == "WEBP" else {}
    assert np.array_equal(decode(_file(Image.fromarray(straight).convert(mode), form, **lossless)), straight)


@pytest.mark.parametrize(
    ("content", "alpha"),
    [
        (_png(1, 0, [bytes([0b01000000])], 2, (b"tRNS", b"\0\1")), [255, 0]),
        (_png(2, 0, [bytes([0b00011011])], 4, (b"tRNS", b"\0\1")), [255, 0, 255, 255]),
        (_png(4, 0, [bytes([0x0F])], 2, (b"tRNS", b"\0\x0f")), [255, 0]),
        (_png(8, 0, [bytes([7, 9])], 2, (b"tRNS", b"\0\7")), [0, 255]),
        (_png(16, 0, [b"\x12\x34\x12\x35"], 2, (b"tRNS", b"\x12\x34")), [0, 255]),
        (_png(8, 2, [bytes([7, 9, 1, 7, 9, 2])], 2, (b"tRNS", b"\0\7\0\x09\0\1")), [0, 255]),
        (_png(16, 2, [b"\x12\x34" * 3 + b"\x12\x35" * 3], 2, (b"tRNS", b"\x12\x34" * 3)), [0, 255]),
        (_png(8, 3, [bytes([0, 1, 2])], 3, (b"PLTE", bytes(9)), (b"tRNS", b"\xff\x40")), [255, 64, 255]),
    ],
    ids=["grey 1", "grey 2", "grey 4", "grey 8", "grey 16", "RGB 8", "RGB 16", "palette"],
)
def test_a_transparent_colour_is_transparent_in_every_depth_of_png(content, alpha):
    assert header(content).alpha
    assert decode(content)[0, :, 3].tolist() == alpha


def test_flattened_pictures_show_the_ground_through():
    glass = np.array([[[255, 0, 0, 0], [255, 0, 0, 128], [9, 8, 7, 255]]], np.uint8)
    assert np.abs(flatten(glass).astype(int) - [[[255, 255, 255], [255, 127, 127], [9, 8, 7]]]).max() <= 1


# -- colour ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize(
    ("primaries", "gamma"),
    [(profiles.P3, None), (profiles.P3, 2.2), (profiles.ADOBE, 563 / 256), (profiles.SRGB, 1.0)],
    ids=["Display P3", "P3 of gamma 2.2", "Adobe RGB", "linear"],
)
def test_profiles_are_converted_to_srgb(form, primaries, gamma):
    """Dropped unconverted, the red of a phone's photo turns dull: P3 (200, 60, 60) of gamma 2.2 is (219, 37, 49)."""
    profile = profiles.rgb(primaries, profiles.SRGB_CURVE if gamma is None else (gamma,))
    lossless = {"WEBP": {"lossless": True}, "AVIF": {"quality": 100, "subsampling": "4:4:4"}}.get(form, {})
    picture = Image.fromarray(np.repeat(np.repeat(COLOURS, 8, 0), 8, 1))
    found = decode(_file(picture, form, icc_profile=profile, **lossless))[4, 4::8]
    expected = _through(primaries, gamma, COLOURS[0])
    assert np.abs(found - expected).max() <= (8 if form == "AVIF" else 1)
    if gamma == 2.2:
        assert expected[0].tolist() == [219, 37, 49]


def _with_chunks(*chunks: tuple[bytes, bytes]) -> bytes:
    return _png(8, 2, [COLOURS.tobytes()], COLOURS.shape[1], *chunks)


def _numbers(*values: float) -> bytes:
    return b"".join(struct.pack(">I", round(100_000 * value)) for value in values)


def _packed(profile: bytes) -> bytes:
    """What an iCCP chunk holds."""
    return b"name\0\0" + zlib.compress(profile)


@pytest.mark.parametrize(
    ("chunks", "primaries", "gamma"),
    [
        ([(b"gAMA", _numbers(1.0))], profiles.SRGB, 1.0),
        ([(b"gAMA", _numbers(1 / 1.8))], profiles.SRGB, 1.8),
        ([(b"gAMA", _numbers(0.45455))], profiles.SRGB, None),
        ([(b"gAMA", _numbers(1.0)), (b"sRGB", b"\0")], profiles.SRGB, None),
        ([(b"gAMA", _numbers(0.45455)), (b"cHRM", _numbers(*profiles.D65, *np.ravel(profiles.P3)))], profiles.P3, None),
        ([(b"cICP", bytes([12, 13, 0, 1]))], profiles.P3, None),
        ([(b"cICP", bytes([1, 13, 0, 1]))], profiles.SRGB, None),
        ([(b"cICP", bytes([1, 8, 0, 1]))], profiles.SRGB, 1.0),
        ([(b"iTXt", bytes(9000)), (b"cICP", bytes([12, 13, 0, 1]))], profiles.P3, None),
        ([(b"iCCP", _packed(profiles.rgb(profiles.P3))), (b"cICP", bytes([1, 13, 0, 1]))], profiles.SRGB, None),
        ([(b"iCCP", _packed(profiles.rgb(profiles.P3, (2.2,)) + bytes(2_000_000)))], profiles.P3, 2.2),
        ([(b"gAMA", _numbers(0))], profiles.SRGB, None),
        ([(b"gAMA", b"\0\0\0\1")], profiles.SRGB, None),
        ([(b"gAMA", b"\xff\xff\xff\xff")], profiles.SRGB, None),
        ([(b"gAMA", _numbers(1.0)), (b"cHRM", bytes(32))], profiles.SRGB, None),
        ([(b"gAMA", _numbers(1.0)), (b"cHRM", _numbers(*[0.3] * 8))], profiles.SRGB, None),
    ],
    ids=[
        "linear",
        "gamma 1.8",
        "gamma of sRGB",
        "sRGB first",
        "cHRM of P3",
        "cICP of P3",
        "cICP of sRGB",
        "cICP linear",
        "cICP behind a long text",
        "cICP before a profile",
        "profile of two megabytes",
        "gamma of 0",
        "gamma of nearly 0",
        "gamma without end",
        "primaries of 0",
        "primaries at one point",
    ],
)
def test_colour_spaces_named_in_numbers_are_converted(chunks, primaries, gamma):
    """Browsers honour these chunks of PNG: without them a linear picture is much too dark."""
    expected = _through(primaries, gamma, COLOURS[0]) if (primaries, gamma) != (profiles.SRGB, None) else COLOURS[0]
    assert np.abs(decode(_with_chunks(*chunks))[0] - expected).max() <= 2


def test_an_avif_that_names_display_p3_is_converted():
    picture = Image.fromarray(np.repeat(np.repeat(COLOURS, 8, 0), 8, 1))
    content = _file(picture, "AVIF", quality=100, subsampling="4:4:4")
    assert np.abs(decode(content)[4, 4::8].astype(int) - COLOURS[0]).max() <= 3
    named = re.sub(rb"colrnclx....", b"colrnclx" + struct.pack(">HH", 12, 13), content, count=1, flags=re.DOTALL)
    assert np.abs(decode(named)[4, 4::8] - _through(profiles.P3, None, COLOURS[0])).max() <= 8


@pytest.mark.parametrize("curve", [16, 18], ids=["PQ", "HLG"])
def test_a_picture_of_high_dynamic_range_is_refused_rather_than_shown_dull(curve):
    with pytest.raises(ValueError, match=r"'hdr.png' is of high dynamic range"):
        decode(_with_chunks((b"cICP", bytes([9, curve, 0, 1]))), "hdr.png")


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA"])
def test_profiles_are_converted_beside_transparency_and_palettes(mode):
    picture = Image.fromarray(np.array([[[200, 60, 60, 90]]], np.uint8)).convert(mode)
    if mode == "P":
        picture = Image.fromarray(np.array([[[200, 60, 60]]], np.uint8)).quantize(2)
    profile = profiles.grey(1.0) if mode == "LA" else profiles.rgb(profiles.P3, (2.2,))
    found = decode(_file(picture, "PNG", icc_profile=profile))[0, 0].tolist()
    level = int(picture.getpixel((0, 0))[0]) if mode == "LA" else 0
    grey = [round(255 * float(to_srgb(np.array(level / 255))))] * 3
    assert found == {"RGBA": [219, 37, 49, 90], "P": [219, 37, 49], "LA": [*grey, 90]}[mode]


def test_grey_profiles_are_converted_in_eight_and_sixteen_bits():
    for values in (np.uint8([[0, 64, 128, 255]]), np.uint16([[0, 64 * 257, 128 * 257, 65535]])):
        found = decode(_file(Image.fromarray(values), "PNG", icc_profile=profiles.grey(1.0)))[0, :, 0]
        assert np.abs(found - np.rint(255 * to_srgb(np.array([0, 64, 128, 255]) / 255))).max() <= 1


def test_cmyk_is_converted_by_its_profile():
    """Without it, full black ink comes out as 0; this profile says that it is a mid-grey."""
    ink = Image.fromarray(np.uint8([[[0, 0, 0, 255], [0, 0, 0, 0], [255, 0, 0, 0]]]), "CMYK")
    plain, managed = (decode(_file(ink, "TIFF", **more))[0] for more in ({}, {"icc_profile": profiles.cmyk()}))
    assert plain.tolist() == [[0, 0, 0], [255, 255, 255], [0, 255, 255]]
    assert managed[1].min() >= 253
    assert managed[0].min() > 20 and managed[2][1] < 220


@pytest.mark.parametrize(
    "profile",
    [b"broken", profiles.rgb(profiles.P3)[:200], profiles.cmyk(), profiles.grey(1.0)],
    ids=["no profile", "cut", "of four inks", "of greys"],
)
def test_a_profile_that_describes_something_else_counts_as_none(profile):
    content = _file(Image.fromarray(COLOURS), "PNG", icc_profile=profile)
    assert np.array_equal(decode(content), COLOURS)


def test_an_srgb_profile_changes_no_pixel():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    every = np.arange(256 * 3, dtype=np.uint16).astype(np.uint8).reshape(1, 256, 3)
    assert np.array_equal(decode(_file(Image.fromarray(every), "PNG", icc_profile=profile)), every)


# -- orientation -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", [*range(10), 65535])
@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_pictures_are_turned_upright(turn, form):
    """Cameras store what the sensor saw and note how it was held; a turn that EXIF does not know is none."""
    upright = np.zeros((16, 24, 3), np.uint8)
    upright[:8, :8], upright[:8, 16:] = (250, 10, 10), (10, 10, 250)
    way = Image.Transpose
    back = {2: way.FLIP_LEFT_RIGHT, 3: way.ROTATE_180, 4: way.FLIP_TOP_BOTTOM, 5: way.TRANSPOSE, 6: way.ROTATE_90,
            7: way.TRANSVERSE, 8: way.ROTATE_270}.get(turn)  # fmt: skip
    picture = Image.fromarray(upright)
    stored = picture if back is None else picture.transpose(back)
    exif = Image.Exif()
    exif[0x0112] = turn
    content = _file(stored, form, exif=exif, **({"lossless": True} if form == "WEBP" else {}))
    assert header(content)[:2] == (24, 16)
    assert np.abs(decode(content).astype(int) - upright).mean() < 8


def test_sixteen_bits_are_turned_as_well():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = _file(Image.fromarray(RAMP), "PNG", exif=exif)
    assert decode(content).shape == (64, 4, 3)
    assert decode(content)[:, 3, 0].tolist() == list(range(64))


def test_damaged_metadata_leave_the_picture_as_it_is():
    content = _file(Image.fromarray(COLOURS), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert np.array_equal(decode(content), COLOURS)


# -- refused -----------------------------------------------------------------------------------------------------------


def _moving(form: str) -> bytes:
    frames = [Image.new("RGB", (24, 16), (80 * n, 10, 10)) for n in range(3)]
    return _file(
        frames[0], form, save_all=True, append_images=frames[1:], **({} if form == "TIFF" else {"duration": 80})
    )


@pytest.mark.parametrize(
    ("form", "what"), [(f, "frames, an animation") for f in ("GIF", "WEBP", "PNG", "AVIF")] + [("TIFF", "pages")]
)
def test_a_picture_of_several_frames_is_refused_rather_than_cut_to_the_first(form, what):
    for read in (header, decode):
        with pytest.raises(ValueError, match=f"'moving' has 3 {what}"):
            read(_moving(form), "moving")


def test_a_phone_picture_with_another_behind_it_is_one_picture():
    """Phones append a depth map or a gain map; every browser shows the first alone."""
    first, second = (Image.new("RGB", (64, 48), colour) for colour in ((200, 60, 60), (0, 0, 0)))
    content = _file(first, "MPO", save_all=True, append_images=[second])
    assert header(content).form == "jpeg"
    assert np.abs(decode(content).astype(int) - [200, 60, 60]).max() <= 2


def test_a_thumbnail_beside_a_tiff_is_no_page():
    small = Image.new("RGB", (6, 4), "red")
    small.encoderinfo = {"tiffinfo": {254: 1}}
    content = _file(Image.new("RGB", (24, 16), (200, 60, 60)), "TIFF", save_all=True, append_images=[small])
    with Image.open(io.BytesIO(content)) as image:
        assert image.n_frames == 2
    assert np.array_equal(decode(content), np.full((16, 24, 3), (200, 60, 60)))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "GIF"])
def test_a_cut_file_is_refused_by_name(form):
    rng = np.random.default_rng(1)
    content = _file(Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)), form)
    for length in (0, 10, len(content) // 2):
        with pytest.raises(ValueError, match=r"'photo\.x' "):
            decode(content[:length], "photo.x")


def test_the_limit_of_pixels_is_the_one_asked_for(tmp_path, recwarn):
    """Pillow's own limits, of 89 and 179 megapixels, neither forbid what is allowed nor warn about it."""
    file = tmp_path / "wide.png"
    Image.new("1", (20_000, 9_500)).save(file)
    with pytest.raises(
        ValueError, match=r"'wide.png' has too many pixels: 20000x9500 is 190.0 megapixels, the limit is 40$"
    ):
        header(file)
    assert header(file, max_pixels=200_000_000)[:2] == (20_000, 9_500)
    assert not recwarn.list
    assert Image.MAX_IMAGE_PIXELS == 89_478_485


def test_what_is_no_picture_is_refused_by_name(tmp_path):
    (tmp_path / "page.html").write_text("<html>")
    (tmp_path / "drawing.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n%%EOF\n")
    (tmp_path / "weather.grib").write_bytes(b"GRIB\0\0\0\1")
    unread = ("page.html", "drawing.eps", "weather.grib")  # a PostScript file is a program, which Pillow would run
    others = (("gone.png", "does not exist"), ("folder.png", "is a folder"))
    (tmp_path / "folder.png").mkdir()
    for name, said in (*((name, "is not a picture") for name in unread), *others):
        with pytest.raises(ValueError, match=f"'{name}' {said}"):
            decode(tmp_path / name)
