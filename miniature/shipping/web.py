"""The miniature for a reader's browser: models as gzipped ONNX files, the runtime, and what the page must know.

`write` reads the shipped weights and needs no torch. Weights stay int8 with their scales, so that the browser computes
with the numbers that `draw` computes with. Every file is named by its content and none is larger than `PART`; the
manifest `draw.json` also holds digests of what all was made from, so that a page never offers a model of other weights.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from ledger.problems import InputError, Problem
from miniature.shipping import draw, graphs, pack
from miniature.world import scenes, vocabulary
from miniature.world.sprites import CHARACTERS, OBJECTS

PART = 14_000_000  # bytes of the largest file
SHIPPED, OUT = "results/miniature", ".cache/draw"
RUNTIMES = Path(__file__).parent / "runtime" / "node_modules"
PROVIDERS = {  # package, script, and the stem of the WebAssembly with its glue
    "wasm": ("onnxruntime-web", "ort.wasm.min.mjs", "ort-wasm-simd-threaded"),
    "webgpu": ("onnxruntime-webgpu", "ort.jspi.min.mjs", "ort-wasm-simd-threaded.jspi"),
}
EXAMPLE = {"subject": "penguin", "place": "on a beach", "time": "by day", "look": "faded and washed out"}
PROMPT = "a penguin on a beach by day, faded and washed out"  # the same in words
PATTERN = "a(n) [{feeling} ]{subject}[ and a(n) {second}] {place} {time}[, {look}[ and {more}]]"


def write(root: Path = pack.ROOT, runtimes: Path = RUNTIMES) -> dict[str, Any]:
    """Fill .cache/draw with the files and their manifest, which it returns. InputError without an installed runtime."""
    out, shipped = root / OUT, root / SHIPPED
    runtime_files = _runtime_files(runtimes)
    fresh = out.with_name(out.name + ".part")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    told = json.loads((shipped / "models.json").read_text())
    models = {name: _parts(fresh, name, model) for name, model in _models(root, told)}
    runtime = {
        provider: {
            "script": _named(fresh, f"{provider}-api", ".js", script.read_bytes()),
            "glue": _named(fresh, f"{provider}-glue", ".js", glue.read_bytes()),
            "binary": PACKED[provider](fresh, provider, binary.read_bytes()),
        }
        for provider, (script, glue, binary) in runtime_files.items()
    }
    weight = sum((fresh / part).stat().st_size for parts in models.values() for part in parts)
    manifest = {
        "sources": {path.relative_to(root).as_posix(): digest(path.read_bytes()) for path in _sources(root)},
        "files": sorted(path.name for path in fresh.iterdir()),
        "bytes": {
            provider: weight + sum((fresh / part).stat().st_size for part in one["binary"])
            for provider, one in runtime.items()
        },
        "menus": _menus(),
        "most": draw.MOST,
        "example": EXAMPLE,
        "prompt": PROMPT,
        "model": _model(told, shipped),
        "addresses": {"models": models, "runtimes": runtime, "trial": _trial(told, shipped)},
    }
    (fresh / "draw.json").write_text(json.dumps(manifest, indent=1) + "\n")
    shutil.rmtree(out, ignore_errors=True)
    fresh.rename(out)
    return manifest


def _sources(root: Path) -> list[Path]:
    """The shipped weights that the files are made from."""
    shipped = root / SHIPPED
    told = [shipped / name for name in ("models.json", pack.UNITS, pack.PREVIEWS)]
    return [*told, *sorted(shipped.glob("*.safetensors"))]


def _runtime_files(runtimes: Path) -> dict[str, list[Path]]:
    """Script, glue and WebAssembly of each provider."""
    files = {
        provider: [runtimes / package / "dist" / name for name in (script, f"{stem}.mjs", f"{stem}.wasm")]
        for provider, (package, script, stem) in PROVIDERS.items()
    }
    missing = [path for paths in files.values() for path in paths if not path.exists()]
    if missing:
        raise InputError([Problem(str(missing[0]), 0, "", "is not there: run `make web`, which installs the runtime")])
    return files


# --- models -----------------------------------------------------------------------------------------------------------


def _side(told: dict[str, Any]) -> int:
    """Positions of a packed latent picture in a row."""
    return int(_config(told, "vae")["sample_size"]) // 16


def _config(told: dict[str, Any], name: str) -> dict[str, Any]:
    config: dict[str, Any] = told[f"generator/model/{name}/config.json"]
    return config


def _models(root: Path, told: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Name and ONNX file of every model."""
    arms, side, shipped = list(draw.FAMILIES.values()), _side(told), root / SHIPPED
    flux = pack.named(shipped, "transformer") | _factors(shipped)
    yield "t5", graphs.t5(pack.named(shipped, "text_encoder_2"), _config(told, "text_encoder_2"), vocabulary.LENGTH)
    yield "clip", graphs.clip_text(pack.named(shipped, "encoder"), _config(told, "text_encoder"), vocabulary.LENGTH)
    yield "transformer", graphs.transformer(flux, _config(told, "transformer"), arms, vocabulary.LENGTH, side)
    yield "decoder", graphs.decoder(pack.named(shipped, "vae"), _config(told, "vae"), side)
    yield "tiny_decoder", graphs.tiny_decoder(load_file(root / SHIPPED / pack.PREVIEWS), side)


def _factors(shipped: Path) -> dict[str, np.ndarray]:
    """The low-rank differences of the variants that the page offers."""
    arms = set(draw.FAMILIES.values())
    return {key: value for key, value in pack.named(shipped, "alignment").items() if key.partition("/")[0] in arms}


def _trial(told: dict[str, Any], shipped: Path) -> dict[str, dict[str, list[int]]]:
    """Shapes of inputs with which a graphics card is tried before it is trusted."""
    config, positions = _config(told, "transformer"), _side(told) ** 2
    packed = [1, positions, config["in_channels"]]
    return {
        "transformer": {
            "packed": packed,
            "waves": [1, graphs.TIME_WAVES],
            "states": [1, vocabulary.LENGTH, config["joint_attention_dim"]],
            "pooled": [1, config["pooled_projection_dim"]],
            "strength": [sum(graphs.ranks(_factors(shipped), list(draw.FAMILIES.values())))],
        },
        "decoder": {"packed": packed},
    }


# --- what the page must know ------------------------------------------------------------------------------------------


def _model(told: dict[str, Any], shipped: Path) -> dict[str, Any]:
    """What scripts need to draw: the sampler's numbers, variants and their places, vocabulary."""
    arms = list(draw.FAMILIES.values())
    ranks = graphs.ranks(_factors(shipped), arms)
    families, units = zip(draw.FAMILIES, ranks, strict=True), pack.units(shipped)
    ids = told["generator/model/tokenizer/tokenizer.json"]["model"]["vocab"]
    special = {"pad": vocabulary.PAD, "unknown": vocabulary.UNKNOWN, "begin": vocabulary.BEGIN, "end": vocabulary.END}
    return {
        "revision": pack.digest(shipped)[:16],
        "steps": draw.STEPS,
        "guidance": draw.GUIDANCE,
        "shift": told["generator/model/scheduler/scheduler_config.json"]["shift"],
        "channels": _config(told, "vae")["latent_channels"],
        "side": _side(told),
        "size": draw.SIZE,
        "preview": "tiny_decoder",
        "final": "decoder",
        "families": [
            {
                "id": name,
                "name": draw.FAMILY_NAMES[name],
                "rank": rank,
                "unit": units.get(pack.variant(draw.FAMILIES[name]), 1.0),
            }
            for name, rank in families
        ],
        "vocabulary": {"ids": ids, "length": vocabulary.LENGTH, "special": special},
        "pattern": PATTERN,
    }


def _menus() -> list[dict[str, Any]]:
    """The grammar of captions as menus: name, label, whether it may be left empty, groups of (label, choices)."""
    characters = ["face", *CHARACTERS]
    others = [name for name in OBJECTS if name not in CHARACTERS]
    subjects = [("can show a feeling", characters), ("shows none", others)]
    looks = [(name.replace("_", " "), list(phrases)) for name, phrases in scenes.phrases().items()]
    looks.append(("praise", list(scenes.QUALITIES)))

    def menu(name: str, label: str, groups: list[tuple[str, list[str]]], *, optional: bool = False) -> dict[str, Any]:
        return {"name": name, "label": label, "optional": optional, "groups": groups}

    return [
        menu("feeling", "Feeling", [("", list(scenes.EMOTIONS))], optional=True),
        menu("subject", "Subject", subjects),
        menu("second", "Second subject", [("", list(OBJECTS))], optional=True),
        menu("place", "Place", [(name, list(ways)) for name, ways in scenes.BACKGROUNDS.items()]),
        menu("time", "Time", [(name, list(ways)) for name, ways in scenes.TIMES.items()]),
        menu("look", "Look", looks, optional=True),
        menu("more", "Another look", looks, optional=True),
    ]


# --- files ------------------------------------------------------------------------------------------------------------


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal, of which names carry the first ten."""
    return hashlib.sha256(content).hexdigest()


def _named(folder: Path, stem: str, suffix: str, content: bytes) -> str:
    """Write a file whose name tells its content; the name."""
    name = f"{stem}-{digest(content)[:10]}{suffix}"
    (folder / name).write_bytes(content)
    return name


def _parts(folder: Path, stem: str, content: bytes) -> list[str]:
    """The same, gzipped and in pieces of at most `PART`."""
    packed = gzip.compress(content, 9, mtime=0)
    return [_named(folder, stem, ".bin", packed[at : at + PART]) for at in range(0, len(packed), PART)]


def _small(folder: Path, stem: str, content: bytes) -> list[str]:
    """The same in one piece as LZMA with its size in the header, which scripts of the page unpack: smaller, and slower
    to start."""
    how = [{"id": lzma.FILTER_LZMA1, "preset": 6, "dict_size": 1 << 24, "pb": 0}]
    packed = lzma.compress(content, lzma.FORMAT_ALONE, filters=how)
    return [_named(folder, stem, ".lzma", packed[:5] + len(content).to_bytes(8, "little") + packed[13:])]


# Gzipped, the runtime of WebGPU and the weights would exceed 30 MB.
PACKED = {"wasm": _parts, "webgpu": _small}
