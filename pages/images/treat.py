"""One treatment on one picture: `python build.py treat`."""

from __future__ import annotations

import io
from pathlib import Path

from ledger.files import replace_bytes

TRANSPARENT = ("AVIF", "JPEG2000", "PNG", "TGA", "TIFF", "WEBP")  # forms that hold alpha of any value
ICONS = ("ICO", "ICNS")  # forms that hold other sizes than the picture's


def treat(source: Path, target: Path, treatment: str, severity: float, seed: int, max_pixels: int) -> None:
    """Write `source` through `effects.apply` to `target`, in the form of its suffix, over white where that form has no
    transparency. ValueError says what is wrong; nothing is written then."""
    from PIL import Image

    import effects
    from effects.decode import decode, flatten

    form = Image.registered_extensions().get(target.suffix.lower(), "")
    if form not in Image.SAVE or form in ICONS:
        raise ValueError(f"{target}: the name must end in that of a picture format, such as .png, .jpg, .webp or .avif")
    treated = effects.apply(decode(source, max_pixels=max_pixels), treatment, severity, seed)
    content = io.BytesIO()
    try:
        Image.fromarray(treated if form in TRANSPARENT else flatten(treated)).save(content, form)
        replace_bytes(target, content.getvalue())
    except (OSError, ValueError, RuntimeError) as error:
        raise ValueError(f"{target}: {getattr(error, 'strerror', None) or error}") from None
