"""One treatment on one picture: `python build.py treat`."""

from __future__ import annotations

from pathlib import Path


def treat(source: Path, target: Path, treatment: str, severity: float, seed: int) -> None:
    """Write `source` through `effects.apply` to `target`, in the form of its suffix, over white where that form has no
    transparency. ValueError says what is wrong."""
    from PIL import Image

    import effects
    from effects.decode import decode, flatten

    treated = effects.apply(decode(source), treatment, severity, seed)
    try:
        Image.fromarray(flatten(treated) if target.suffix.lower() in (".jpg", ".jpeg") else treated).save(target)
    except (OSError, ValueError) as error:
        raise ValueError(f"{target}: {error}") from None
