"""One treatment on one picture: `python build.py treat`."""

from __future__ import annotations

from pathlib import Path


def treat(source: Path, target: Path, treatment: str, severity: float, seed: int) -> None:
    """Write `source` through `effects.apply` to `target`, in the form of its suffix. ValueError says what is wrong."""
    import numpy as np
    from PIL import Image, ImageOps, UnidentifiedImageError

    import effects

    try:
        with Image.open(source) as image:
            upright = ImageOps.exif_transpose(image)
            alpha = "A" in upright.getbands() or "transparency" in upright.info
            grey = upright.mode in ("1", "L", "I;16")
            pixels = np.asarray(upright.convert("RGBA" if alpha else "L" if grey else "RGB"))
    except UnidentifiedImageError:
        raise ValueError(f"{source} is not a picture") from None
    except (OSError, Image.DecompressionBombError) as error:
        raise ValueError(f"{source}: {error}") from None
    treated = Image.fromarray(effects.apply(pixels, treatment, severity, seed))
    if target.suffix.lower() in (".jpg", ".jpeg") and alpha:
        treated = treated.convert("RGB")
    try:
        treated.save(target)
    except (OSError, ValueError) as error:
        raise ValueError(f"{target}: {error}") from None
