"""The cast: icons of Microsoft's Fluent emoji (MIT), as packed by the npm package @lobehub/fluent-emoji-3d 1.1.0.

`sprites.zip` holds the 83 files that the world uses, bytes unchanged; `python build.py miniature sprites` makes it
again from the package. Attribution: NOTICE.
"""

from __future__ import annotations

import io
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

PACKAGE = "@lobehub/fluent-emoji-3d@1.1.0"
ARCHIVE = Path(__file__).parent / "sprites.zip"

OBJECTS: dict[str, str] = {
    "dog": "1f415", "cat": "1f408", "horse": "1f40e", "cow": "1f404", "pig": "1f416", "sheep": "1f411",
    "elephant": "1f418", "giraffe": "1f992", "rabbit": "1f407", "zebra": "1f993", "tiger": "1f405", "camel": "1f42a",
    "deer": "1f98c", "penguin": "1f427", "duck": "1f986", "owl": "1f989", "flamingo": "1f9a9", "parrot": "1f99c",
    "frog": "1f438", "turtle": "1f422", "whale": "1f433", "octopus": "1f419", "crab": "1f980", "butterfly": "1f98b",
    "fox": "1f98a", "panda": "1f43c", "lion": "1f981", "dinosaur": "1f995", "tulip": "1f339", "sunflower": "1f33b",
    "cactus": "1f335", "palm tree": "1f334", "pine tree": "1f332", "mushroom": "1f344", "banana": "1f34c",
    "pineapple": "1f34d", "apple": "1f34e", "strawberry": "1f353", "pizza": "1f355", "burger": "1f354",
    "ice cream": "1f366", "cake": "1f382", "house": "1f3e0", "castle": "1f3f0", "church": "26ea", "tent": "26fa",
    "train": "1f686", "bus": "1f68c", "taxi": "1f695", "tractor": "1f69c", "bicycle": "1f6b2", "sailboat": "26f5",
    "airplane": "2708-fe0f", "helicopter": "1f681", "rocket": "1f680", "umbrella": "2602-fe0f", "snowman": "26c4",
    "pumpkin": "1f383", "gift": "1f381", "teddy bear": "1f9f8", "guitar": "1f3b8", "television": "1f4fa",
    "clock": "23f0", "robot": "1f916", "ghost": "1f47b", "balloon": "1f388", "crown": "1f451", "car": "1f697",
}  # fmt: skip

FACES: dict[str, tuple[str, ...]] = {
    "happy": ("1f600", "1f603", "1f604"),
    "sad": ("1f641", "1f61e", "2639-fe0f"),
    "crying": ("1f62d", "1f622"),
    "angry": ("1f620", "1f621"),
    "scared": ("1f631", "1f628", "1f630"),
    "disgusted": ("1f922", "1f92e"),
}

# Where a character wears its feeling: centre (x, y) and width of the face, as shares of the icon's width.
CHARACTERS: dict[str, tuple[float, float, float]] = {
    "penguin": (0.50, 0.30, 0.50),
    "owl": (0.50, 0.30, 0.62),
    "snowman": (0.53, 0.32, 0.46),
    "teddy bear": (0.50, 0.27, 0.52),
    "octopus": (0.50, 0.38, 0.56),
    "robot": (0.50, 0.48, 0.62),
    "ghost": (0.50, 0.38, 0.60),
    "pumpkin": (0.50, 0.58, 0.62),
}


@cache
def sprite(code: str) -> np.ndarray:
    """Icon `code` as float32 RGBA (256, 256, 4) in 0..1, premultiplied. KeyError for one not in the cast."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        picture = Image.open(io.BytesIO(archive.read(f"{code}.webp"))).convert("RGBA")
    pixels = np.asarray(picture, np.float32) / 255
    pixels[..., :3] *= pixels[..., 3:]
    return pixels


def codes() -> list[str]:
    """Every icon of the cast, in order."""
    return [*OBJECTS.values(), *(code for faces in FACES.values() for code in faces)]


def pack(assets: Path, archive: Path = ARCHIVE) -> None:
    """Write the archive from the unpacked npm package's `assets` folder; same files, same bytes."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as target:
        for code in codes():
            entry = zipfile.ZipInfo(f"{code}.webp", (1980, 1, 1, 0, 0, 0))
            target.writestr(entry, (assets / f"{code}.webp").read_bytes())
