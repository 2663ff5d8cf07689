"""Shipped weights: int8 for matrices and kernels, half precision for the rest, differences as low-rank factors.

`pack` reads a training folder and writes results/miniature (under 40 MB, no file over 15 MB); `unpack` restores stock
folders that `from_pretrained` and `load_lora_weights` read. Neither needs torch. What was packed is what is measured:
alignment and measurement run on the unpacked weights.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from ledger.problems import InputError, Problem
from miniature.nets import lowrank_numpy

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "results" / "miniature"
CACHE = ROOT / ".cache" / "miniature"
PART = 14_000_000  # bytes: no shipped file is larger
LEAST = 2048  # elements of a tensor that is worth quantising
SCALE = "::scale"
PREVIEWS = "web/tiny_decoder.safetensors"  # no part of the revision: it only imitates
UNITS = "units.json"
ADAPTER = "pytorch_lora_weights.safetensors"  # as diffusers names it
TALL = 32  # matrices of fewer columns are scaled by column
SHIPPED_REWARDS = (
    "gatenone-low-s0", "gatenone-low-s1", "gatenone-low-s2", "gate95-low-s0", "gatenone-high-s0",
)  # fmt: skip
SHIPPED_ARMS = (
    "draft-s0", "draft-s1", "draft-s2", "pluralist-s0", "unleashed-s0", "unleashed-pluralist", "hacked", "dpo-s0",
)  # fmt: skip

# Folder of the training run, folder of the unpacked cache, whether its weights are stored of its own.
MODELS = {
    "transformer": ("generator/model/transformer", "pipeline/transformer"),
    "vae": ("generator/model/vae", "pipeline/vae"),
    "text_encoder_2": ("generator/model/text_encoder_2", "pipeline/text_encoder_2"),
    "encoder": ("encoder/model", "encoder"),
    "judge": ("judge/model", "judge"),
}
JSON_FOLDERS = ("generator/model", "encoder/model", "judge/model")
WEIGHTS = {"transformer": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model"}


def quantise(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """int8 values and float16 scales of large tensors, per row, or per column of tall ones; the rest in float16."""
    packed: dict[str, np.ndarray] = {}
    for name, value in state.items():
        if value.dtype.kind != "f":
            packed[name] = value
        elif value.ndim < 2 or value.size < LEAST:
            packed[name] = value.astype(np.float16)
        else:
            rows = value.astype(np.float32).reshape(len(value), -1)
            axis = 0 if rows.shape[1] < TALL else 1
            scale = (np.abs(rows).max(axis, keepdims=True) / 127).astype(np.float16).astype(np.float32)
            scale[scale == 0] = np.float16(6e-8)
            packed[name] = np.clip(np.round(rows / scale), -127, 127).astype(np.int8).reshape(value.shape)
            packed[name + SCALE] = scale.astype(np.float16)
    return packed


def restore(packed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Inverse of `quantise` up to its rounding, float32."""
    state = {}
    for name, value in packed.items():
        if name.endswith(SCALE):
            continue
        if name + SCALE in packed:
            rows = value.astype(np.float32).reshape(len(value), -1) * packed[name + SCALE].astype(np.float32)
            state[name] = rows.reshape(value.shape)
        else:
            state[name] = value.astype(np.float32) if value.dtype == np.float16 else value
    return state


def rounded(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Float32 tensors as shipping stores them: what is measured is what is shipped."""
    return restore(quantise(state))


def pack(
    folder: Path, target: Path = SHIPPED, *,
    rewards: tuple[str, ...] = SHIPPED_REWARDS, arms: tuple[str, ...] = SHIPPED_ARMS,
) -> int:  # fmt: skip
    """Pack a training folder; returns bytes written. `rewards` and `arms` choose by name, all when empty."""
    target.mkdir(parents=True, exist_ok=True)
    for old in [*target.glob("*.safetensors"), target / "models.json"]:
        old.unlink(missing_ok=True)
    for name, (source, _) in MODELS.items():
        _write(target, name, quantise(_state(folder / source)))
    for kind, chosen in (("rewards", rewards), ("alignment", arms)):
        _write(target, kind, quantise(factors(folder / kind, chosen)))
    if (folder / "tiny_decoder" / "done").exists():
        pack_previews(folder / "tiny_decoder", target / PREVIEWS)
    texts = {
        path.relative_to(folder).as_posix(): json.loads(path.read_text())
        for source in JSON_FOLDERS
        for path in sorted((folder / source).rglob("*.json"))
        if not path.name.endswith(".index.json")
    }
    (target / "models.json").write_text(json.dumps(texts, sort_keys=True, separators=(",", ":")) + "\n")
    (target / UNITS).write_text(json.dumps(units_of(folder), indent=1, sort_keys=True) + "\n")
    return sum(path.stat().st_size for path in target.iterdir())


def pack_previews(source: Path, target: Path) -> None:
    """Pack the decoder for previews, and beside it what its training measured."""
    target.parent.mkdir(exist_ok=True)
    save_file(quantise(load_file(source / "model.safetensors")), target)
    report = json.loads((source / "report.json").read_text())
    del report["losses"]
    target.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")


def variant(arm: str) -> str:
    """What a trained arm is a training of: its name without the seed."""
    return re.sub(r"-s\d$", "", arm)


def units_of(folder: Path) -> dict[str, float]:
    """Strength 1 of each variant of a training folder as a multiple of the difference that was trained."""
    found = {path.name.removesuffix(".unit.json"): path for path in (folder / "alignment").glob("*.unit.json")}
    return {name: json.loads(path.read_text())["unit"] for name, path in found.items()}


def units(source: Path = SHIPPED) -> dict[str, float]:
    """The same of the shipped variants; 1 for those that are not listed."""
    stored: dict[str, float] = json.loads((source / UNITS).read_text())
    return stored


def _state(source: Path) -> dict[str, np.ndarray]:
    state: dict[str, np.ndarray] = {}
    for path in sorted(source.glob("*.safetensors")):
        state |= load_file(path)
    return state


def factors(source: Path, chosen: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Low-rank differences of a folder, all when none is `chosen`: keys `{name}/{layer}.lora_A.weight`."""
    found: dict[str, np.ndarray] = {}
    for path in sorted(source.glob("*.safetensors")):
        if chosen and path.stem not in chosen:
            continue
        found |= {f"{path.stem}/{key}": value for key, value in load_file(path).items()}
    return found


def _write(target: Path, name: str, packed: dict[str, np.ndarray]) -> None:
    """Write tensors into as many files of at most `PART` bytes as they need."""
    parts: list[dict[str, np.ndarray]] = [{}]
    size = 0
    for key in sorted(packed):
        if size + packed[key].nbytes > PART:
            parts.append({})
            size = 0
        parts[-1][key] = packed[key]
        size += packed[key].nbytes
    for number, part in enumerate(parts):
        if part:
            save_file(part, target / (f"{name}.safetensors" if len(parts) == 1 else f"{name}-{number + 1}.safetensors"))


def freeze(folder: Path) -> None:
    """Round a training folder's whole models as shipping rounds them; low-rank differences are rounded when saved."""
    for source, _ in MODELS.values():
        for path in (folder / source).glob("*.safetensors"):
            save_file(rounded(load_file(path)), path, metadata={"format": "pt"})
    text = _state(folder / "encoder" / "model")
    texts = {key.removeprefix("text_model."): value for key, value in text.items() if key.startswith("text_model.")}
    _model(folder / "generator" / "model" / "text_encoder", texts, "model")


def resume(folder: Path, source: Path = SHIPPED) -> None:
    """Make a training folder from packed weights, as `freeze` leaves it: every later stage, or any earlier one again,
    goes on from it."""
    unpacked = unpack(folder / "unpacked", source)
    for name, place in (("generator", "pipeline"), ("encoder", "encoder"), ("judge", "judge")):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (unpacked / place).rename(folder / name / "model")
        (folder / name / "done").write_text("1")
    shutil.copytree(folder / "generator" / "model" / "vae", folder / "autoencoder" / "model")
    (folder / "autoencoder" / "done").write_text("1")
    for kind in ("rewards", "alignment"):
        (folder / kind).mkdir(exist_ok=True)
        for name, factors in _grouped(restore(named(source, kind))).items():
            save_file(factors, folder / kind / f"{name}.safetensors")
    for name, unit in units(source).items():
        (folder / "alignment" / f"{name}.unit.json").write_text(json.dumps({"unit": unit}))
    shutil.rmtree(unpacked)


def digest(source: Path = SHIPPED) -> str:
    """SHA-256 over names and bytes of the shipped files: the revision of the miniature."""
    total = hashlib.sha256()
    for path in sorted([*source.glob("*.safetensors"), source / "models.json", source / UNITS]):
        total.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def unpack(target: Path = CACHE, source: Path = SHIPPED) -> Path:
    """Restore stock folders below `target` unless those of the same weights are there; returns `target`.

    pipeline/ (FluxPipeline), encoder/ (CLIPModel), judge/ (ResNetForImageClassification), rewards/{name}/ (CLIPModel),
    alignment/{name}/pytorch_lora_weights.safetensors. InputError when nothing has been packed.
    """
    if missing := [name for name in ("models.json", UNITS) if not (source / name).exists()]:
        told = "no packed weights here: run `python build.py miniature pack` after training"
        raise InputError([Problem(str(source / name), 0, "", told) for name in missing])
    revision = digest(source)
    stamp = target / "revision"
    if stamp.exists() and stamp.read_text() == revision:
        return target
    fresh = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    moves = {"generator/model": "pipeline", "encoder/model": "encoder", "judge/model": "judge"}
    for name, text in json.loads((source / "models.json").read_text()).items():
        folder = next(old for old in moves if name.startswith(old))
        _json(fresh / name.replace(folder, moves[folder], 1), text)
    states = {name: restore(named(source, name)) for name in MODELS}
    for name, (_, place) in MODELS.items():
        _model(fresh / place, states[name], WEIGHTS.get(name, "model"))
    texts = {
        key.removeprefix("text_model."): value
        for key, value in states["encoder"].items()
        if key.startswith("text_model.")
    }
    _model(fresh / "pipeline" / "text_encoder", texts, "model")
    for name, factors in _grouped(restore(named(source, "rewards"))).items():
        write_reward(fresh / "rewards" / name, fresh / "encoder", factors)
    strengths = units(source)
    for name, factors in _grouped(restore(named(source, "alignment"))).items():
        write_adapter(fresh / "alignment" / name, factors, strengths.get(variant(name), 1.0))
    (fresh / "revision").write_text(revision)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    return target


def write_reward(target: Path, encoder: Path, factors: dict[str, np.ndarray]) -> None:
    """A reward as a CLIPModel folder: that of the encoder, with the reward's difference in its weights."""
    ignored = shutil.ignore_patterns("*.safetensors")
    shutil.copytree(encoder, target, ignore=ignored, dirs_exist_ok=True)
    _model(target, lowrank_numpy.merge(_state(encoder), factors), "model")


def write_adapter(target: Path, factors: dict[str, np.ndarray], unit: float = 1.0) -> None:
    """An aligned variant as `load_lora_weights` reads it; strength 1 is `unit` times what was trained."""
    flux = {f"transformer.{key}": value for key, value in factors.items()}
    _model(target, flux, ADAPTER.removesuffix(".safetensors"), _alpha(factors, unit))


def named(source: Path, name: str) -> dict[str, np.ndarray]:
    packed: dict[str, np.ndarray] = {}
    for path in sorted([*source.glob(f"{name}.safetensors"), *source.glob(f"{name}-[0-9].safetensors")]):
        packed |= load_file(path)
    return packed


def _grouped(factors: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    groups: dict[str, dict[str, np.ndarray]] = {}
    for key, value in factors.items():
        name, _, layer = key.partition("/")
        groups.setdefault(name, {})[layer] = value
    return groups


def _alpha(factors: dict[str, np.ndarray], unit: float) -> dict[str, str]:
    """Metadata that fixes strength 1: loaders multiply a difference by alpha over rank."""
    rank = next(len(value) for key, value in factors.items() if ".lora_A." in key)
    layers = sorted(key.removesuffix(".lora_A.weight") for key in factors if ".lora_A." in key)
    told = {"transformer.r": rank, "transformer.lora_alpha": rank * unit, "transformer.target_modules": layers}
    return {"lora_adapter_metadata": json.dumps(told, sort_keys=True)}


def _model(folder: Path, state: dict[str, np.ndarray], stem: str, metadata: dict[str, str] | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    whole = {key: np.array(value, order="C") for key, value in state.items()}
    # One key only: safetensors writes several in no fixed order, and revisions are digests of these bytes.
    save_file(whole, folder / f"{stem}.safetensors", metadata=metadata or {"format": "pt"})


def _json(path: Path, text: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(text, indent=2) + "\n")
