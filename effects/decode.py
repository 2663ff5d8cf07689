"""Picture files -> pixels: the one decoder of the page, of `treat` and of the evaluations.

Every file becomes eight bits of sRGB, upright, with straight alpha where it has transparency: `read` gives an image of
Pillow, `decode` an array. NumPy takes as long to import as a small picture to encode, and is loaded only for arrays.

EXIF orientation is applied and colours are converted from an embedded ICC profile (an unreadable one counts as none, as
in browsers) or from the space that the file names in numbers (color_profiles.py). Greys of sixteen bits are scaled from
0..65535, floats from 0..1. Refused with one ValueError that names the file: what is no picture, damaged or truncated,
larger than the limit, of more than one frame or page (an animation must not become a still unnoticed), of high dynamic
range, or grey beyond its range.
"""

from __future__ import annotations

import io
import itertools
import re
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image as pil
from PIL import ImageChops, ImageCms, ImageFile, ImageOps, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError

from effects.color_profiles import HighDynamicRange, named_profile

if TYPE_CHECKING:
    from effects.treatment import Image

MAX_PIXELS = 40_000_000
_ORIENTATION, _GPS = 0x0112, 0x8825  # of EXIF
_NO_PLACE = {0, 7, 29}  # of EXIF GPS: version, time and date, which phones write that may not tell the place
_PLACE = re.compile(rb"GPSL(?:at|ong)itude|location\.ISO6709|\xa9xyz..\x15\xc7[+-]\d", re.DOTALL)  # XMP, films
_STILL = ("MPO", "PSD")  # whose first frame is the whole picture, the others a phone's depth map, or layers
# TIFF: bit 0 of the first marks a thumbnail; 0 in the last means white is zero
_REDUCED, _BITS, _PHOTOMETRIC = 254, 258, 262
_SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # of an ICC profile -> mode of the pixels it describes
_PLAIN = ("1", "L", "LA", "P", "RGB", "RGBA")  # modes of eight bits at most, which every program shows alike
_DAMAGE = (
    OSError,
    RuntimeError,
    SyntaxError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    struct.error,
    zlib.error,
)
_PROBE = pil.frombytes("RGB", (6**3, 1), bytes(itertools.chain(*itertools.product(range(0, 256, 51), repeat=3))))
_LIMITS = threading.RLock()  # those of Pillow are globals of its modules


class Header(NamedTuple):
    """What a picture file says of itself: size when upright, whether it has transparency, the name of its format in
    lower case, and whether programs that know neither profiles nor orientation show what `decode` gives."""

    width: int
    height: int
    alpha: bool
    form: str
    as_stored: bool

    @property
    def suffix(self) -> str:
        """What names of such files end in, after the dot."""
        return {"jpeg": "jpg", "jpeg2000": "jp2", "tiff": "tif"}.get(self.form, self.form)


def header(source: Path | bytes, name: str = "", max_pixels: int = MAX_PIXELS) -> Header:
    """The header of a picture: a file, or the bytes of one, which errors call `name`. ValueError as `decode`."""
    with _opened(source, name, max_pixels) as image:
        turn = _orientation(image) if _may_be_turned(image, source) else 1
        profile = _profile(image, source)
        turned = turn >= 5 and image.format != "TIFF"  # whose size Pillow gives as turned
        width, height = image.size[::-1] if turned else image.size
        as_stored = turn == 1 and image.mode in _PLAIN and not (profile and _conversion(profile, image.mode))
        form = "jpeg" if image.format == "MPO" else str(image.format).lower()
        return Header(width, height, image.has_transparency_data, form, as_stored)


def decode(source: Path | bytes, name: str = "", max_pixels: int = MAX_PIXELS) -> Image:
    """The pixels of a picture, as `read`: uint8 HxWx3, or HxWx4 with straight alpha."""
    import numpy as np

    return np.asarray(read(source, name, max_pixels))


def read(source: Path | bytes, name: str = "", max_pixels: int = MAX_PIXELS) -> pil.Image:
    """A picture in mode RGB or RGBA, without metadata: a file, or the bytes of one, which errors call `name`."""
    with _opened(source, name, max_pixels) as image:
        profile = _profile(image, source)
        _scale_key(image, source)
        if _orientation(image) != 1:
            ImageOps.exif_transpose(image, in_place=True)
        colours, alpha = _without_alpha(image)
        picture = _in_srgb(colours, profile)
        if alpha is not None:
            picture.putalpha(alpha)
        picture.info.clear()  # or Pillow would write it into whatever is made of the picture
        return picture


def tells_place(source: Path) -> bool:
    """Whether the metadata of a picture or a film say where it was taken; False for what is neither."""
    content = source.read_bytes()
    if _PLACE.search(content):
        return True
    try:
        with pil.open(io.BytesIO(content)) as image:
            exif, texts = image.getexif(), [value for value in image.info.values() if isinstance(value, str)]
    except _DAMAGE:  # of HEIC, say, which Pillow does not read
        exif, texts = pil.Exif(), []
    try:
        if not exif and b"Exif\0\0" in content:
            exif.load(content[content.index(b"Exif\0\0") :])
        return bool(exif.get_ifd(_GPS).keys() - _NO_PLACE) or any(_PLACE.search(text.encode()) for text in texts)
    except _DAMAGE:
        return False


def flatten(image: Image, ground: int = 255) -> Image:
    """HxWx3 of a picture with alpha laid over grey of the code value `ground`; a picture without alpha as it is."""
    if image.ndim == 2 or image.shape[2] == 3:
        return image
    import numpy as np

    colours, ground_below = pil.fromarray(image), pil.new("RGBA", image.shape[1::-1], (ground, ground, ground, 255))
    return np.asarray(pil.alpha_composite(ground_below, colours).convert("RGB"))


@contextmanager
def _opened(source: Path | bytes, name: str, max_pixels: int) -> Iterator[pil.Image]:
    """The file as Pillow opens it, checked for its number of pixels and frames; whatever goes wrong as a ValueError."""
    name = name or (source.name if isinstance(source, Path) else "picture")
    with _LIMITS, warnings.catch_warnings(category=UserWarning, action="ignore"):  # of metadata it cannot read
        before = pil.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK
        pil.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK = None, PngImagePlugin.MAX_TEXT_MEMORY
        try:
            with pil.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
                _check(image, max_pixels)
                yield image
        except _Refused as error:
            raise ValueError(f"'{name}' {error}") from None
        except HighDynamicRange:
            raise ValueError(f"'{name}' is of high dynamic range: use a version in sRGB or Display P3") from None
        except FileNotFoundError:
            raise ValueError(f"'{name}' does not exist") from None
        except IsADirectoryError:
            raise ValueError(f"'{name}' is a folder") from None
        except UnidentifiedImageError:
            raise ValueError(f"'{name}' is not a picture that can be read{_vectors(name)}") from None
        except _DAMAGE as error:
            raise ValueError(f"'{name}' is damaged: {error}") from None
        finally:
            pil.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK = before


def _vectors(name: str) -> str:
    return ": save the drawing as PNG" if name.lower().endswith((".pdf", ".svg", ".eps", ".ps", ".ai")) else ""


def _content(source: Path | bytes) -> bytes:
    return source if isinstance(source, bytes) else source.read_bytes()


class _Refused(Exception):
    """Why a whole and readable picture is not taken; the sentence begins with the file's name."""


def _check(image: pil.Image, max_pixels: int) -> None:
    if image.format == "EPS" or isinstance(image, ImageFile.StubImageFile):  # programs, and what others would draw
        raise _Refused("is not a picture that can be read: save it as PNG")
    width, height = image.size
    if width * height > max_pixels:
        size = f"{width}x{height} is {width * height / 1e6:.1f} megapixels"
        raise _Refused(f"has too many pixels: {size}, the limit is {max_pixels / 1e6:g}")
    frames = 1 if image.format in _STILL else _frames(image)
    if frames > 1:
        what = "pages" if image.format == "TIFF" else "frames, an animation"
        raise _Refused(f"has {frames} {what}: use a file of the one that is meant")


def _frames(image: pil.Image) -> int:
    """Frames or pages, of a TIFF without the thumbnails beside them."""
    frames = int(getattr(image, "n_frames", 1))
    if frames > 1 and isinstance(image, TiffImagePlugin.TiffImageFile):
        thumbnails = 0
        for number in range(1, frames):
            image.seek(number)
            thumbnails += int(image.tag_v2.get(_REDUCED, 0)) & 1
        image.seek(0)
        return frames - thumbnails
    return frames


def _profile(image: pil.Image, source: Path | bytes) -> bytes | None:
    """The ICC profile embedded in a picture, or of the colour space that it names in numbers."""
    embedded = image.info.get("icc_profile")
    if image.format not in ("AVIF", "PNG"):
        return embedded
    head = _content(source).partition(b"mdat" if image.format == "AVIF" else b"IDAT")[0]
    return named_profile(image.format.lower(), head, image.info, embedded)


def _may_be_turned(image: pil.Image, source: Path | bytes) -> bool:
    """Whether there is metadata to look for. In a PNG it may stand behind the pixels, and Pillow decodes all of them to
    get there: a hundred times the cost of a header."""
    if image.format != "PNG":
        return True
    content = _content(source)
    return any(mark in content for mark in (b"eXIf", b"xmp", b"Raw profile"))


def _orientation(image: pil.Image) -> int:
    """1..8 of EXIF; 1 where the metadata cannot be read, or say something else."""
    try:
        turn = int(image.getexif().get(_ORIENTATION, 1))
    except _DAMAGE:
        return 1
    return turn if 1 <= turn <= 8 else 1


def _without_alpha(image: pil.Image) -> tuple[pil.Image, pil.Image | None]:
    """The colours in eight bits a sample, and the straight alpha where there is transparency."""
    if image.mode[0] in "IF":
        return _eight_bits(image), _opaque(image, image.info.get("transparency"))
    if not image.has_transparency_data:
        return image, None
    straight = image.convert("RGBA")
    colours = straight.getchannel("R") if image.mode in ("1", "L", "LA", "La") else straight.convert("RGB")
    return colours, straight.getchannel("A")


def _opaque(image: pil.Image, key: float | None) -> pil.Image | None:
    """The alpha of a picture whose samples equal to `key` are transparent."""
    import numpy as np

    return None if key is None else pil.fromarray(np.where(np.asarray(image) == key, 0, 255).astype(np.uint8))


def _scale_key(image: pil.Image, source: Path | bytes) -> None:
    """A PNG names its transparent colour in the depth of the file; Pillow compares it with samples of eight bits."""
    if "transparency" not in image.info or image.format != "PNG" or not isinstance(image, ImageFile.ImageFile):
        return
    raw = image.tile[0].args
    if raw in ("L;2", "L;4"):
        image.info["transparency"] *= 85 if raw == "L;2" else 17
    elif raw == "RGB;16B":  # eight bits cannot tell the colour from its neighbours, so OpenCV compares all sixteen
        import cv2
        import numpy as np

        deep = np.asarray(cv2.imdecode(np.frombuffer(_content(source), np.uint8), cv2.IMREAD_UNCHANGED))
        del image.info["transparency"]
        image.putalpha(pil.fromarray((deep[..., 3] >> 8).astype(np.uint8)))


def _eight_bits(image: pil.Image) -> pil.Image:
    """Grey of sixteen or more bits, or of floats, as mode L."""
    import numpy as np

    tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    values, white = np.asarray(image), 1.0 if image.mode == "F" else 4095.0 if tags.get(_BITS) == (12,) else 65535.0
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= white):
        raise _Refused(f"has grey values from {low:g} to {high:g}; they must lie from 0 (black) to {white:g} (white)")
    scaled = values.astype(np.float32) * np.float32(255 / white)
    if tags.get(_PHOTOMETRIC) == 0:
        scaled = 255 - scaled
    return pil.fromarray(np.rint(scaled).astype(np.uint8))


def _in_srgb(image: pil.Image, icc: bytes | None) -> pil.Image:
    """A picture without alpha as RGB, converted from the colour space of its profile if that describes its samples."""
    convert = _conversion(icc, image.mode) if icc else None
    if convert:
        return convert(image)
    if image.mode != "RGB":
        return image.convert("RGB")
    image.load()  # and no copy, which takes as long as to reduce the picture
    return image


def _conversion(icc: bytes, mode: str) -> Callable[[pil.Image], pil.Image] | None:
    """The way from the profile's space to sRGB; None where there is none, or it leaves everything as it is."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        space = _SPACES.get(profile.profile.xcolor_space)
        if space is None or (space != mode and (space != "RGB" or mode == "CMYK")):
            return None
        intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
        transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), space, "RGB", intent, flags)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None

    def convert(image: pil.Image) -> pil.Image:
        return ImageCms.applyTransform(image.convert(space), transform)  # type: ignore[return-value]

    differences = ImageChops.difference(convert(_PROBE), _PROBE).tobytes()
    same = max(differences) <= 1
    return None if same and space != "CMYK" else convert
