"""What every stage needs: a time budget, checkpoints, pictures on the device, settings of the GPU."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from miniature.nets.shapes import FULL, TINY, Sizes
from miniature.training import renders

SAVE_EVERY = 60.0  # seconds
PREPROCESSOR = {  # of pictures in 0..255 to -1..1, as transformers spells it
    "do_resize": True,
    "do_rescale": True,
    "do_normalize": True,
    "rescale_factor": 1 / 255,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
TINY_STEPS = 80


def device() -> torch.device:
    """The GPU if there is one. Fused attention other than flash is off: it crashed with T5's bias on Hopper."""
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cuda.enable_cudnn_sdp(False)
    torch.backends.cuda.enable_mem_efficient_sdp(False)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Initial weights are a function of `seed`; the global generators are as before afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def normal(shape: tuple[int, ...], rng: np.random.Generator, place: torch.device) -> Tensor:
    """Standard normal float32 on the device."""
    return torch.from_numpy(rng.standard_normal(shape, np.float32)).to(place)


def indices(rng: np.random.Generator, below: int, count: int, place: torch.device) -> Tensor:
    """`count` random int64 below `below` on the device."""
    return torch.from_numpy(rng.integers(below, size=count)).to(place)


@contextmanager
def half(place: torch.device) -> Iterator[None]:
    """bfloat16 arithmetic on the GPU; nothing on the CPU."""
    with torch.autocast(place.type, torch.bfloat16, enabled=place.type == "cuda"):
        yield


class Stage:
    """A stage's folder, budget and log. `fraction` runs from 0 to 1 and survives a restart.

    The budget is `seconds`; at tiny size it is a number of steps, so that tests do not depend on the machine.
    """

    def __init__(self, folder: Path, name: str, seconds: float, sizes: Sizes = FULL) -> None:
        self.path, self.name, self.seconds = folder / name, name, seconds
        self.steps = TINY_STEPS if sizes is TINY else None
        self.path.mkdir(parents=True, exist_ok=True)
        self.step, self.spent, self.losses = 0, 0.0, list[tuple[int, float]]()
        self._began = self._saved = time.monotonic()

    @property
    def fraction(self) -> float:
        if self.steps:
            return min(1.0, self.step / self.steps)
        return min(1.0, (self.spent + time.monotonic() - self._began) / self.seconds)

    def running(self) -> bool:
        return self.fraction < 1

    def chance(self, seed: int) -> np.random.Generator:
        """Everything random in this step: a restart goes on as if there had been none."""
        return np.random.default_rng([seed, self.step])

    def rate(self, peak: float, warmup: int = 100, flat: float = 0.0) -> float:
        """Learning rate now: linear warm-up, flat until the share `flat` of the time, then a cosine to 2 %."""
        late = max(0.0, (self.fraction - flat) / (1 - flat))
        return peak * min(1.0, (self.step + 1) / warmup) * max(0.02, 0.5 * (1 + math.cos(math.pi * late)))

    def log(self, loss: Tensor, every: int = 50, **more: Tensor | float) -> None:
        """Count a step; keep and print the loss now and then, so that the device is rarely waited for."""
        self.step += 1
        every = every if torch.cuda.is_available() else max(1, every // 10)
        if self.step % every == 0 or self.step == 1:
            self.losses.append((self.step, round(float(loss), 5)))
            extra = " ".join(f"{key} {float(value):.4g}" for key, value in more.items())
            print(f"[{self.name} {self.fraction:4.0%}] step {self.step} loss {float(loss):.4f} {extra}", flush=True)

    def save(self, *, force: bool = False, **parts: Any) -> None:
        """Write a checkpoint when one is due; the old one stays until the new one is whole."""
        now = time.monotonic()
        if not force and now - self._saved < SAVE_EVERY:
            return
        state = {key: part.state_dict() if hasattr(part, "state_dict") else part for key, part in parts.items()}
        state["clock"] = {"step": self.step, "spent": self.spent + now - self._began, "losses": self.losses}
        torch.save(state, self.path / "state.part")
        (self.path / "state.part").replace(self.path / "state.pt")
        self._saved = time.monotonic()

    def restore(self, **parts: Any) -> bool:
        """Continue from a checkpoint if there is one."""
        if not (self.path / "state.pt").exists():
            return False
        state = torch.load(self.path / "state.pt", map_location="cpu", weights_only=True)
        for key, part in parts.items():
            if hasattr(part, "load_state_dict"):
                part.load_state_dict(state[key])
            else:
                for target, source in zip(part, state[key], strict=True):
                    target.data.copy_(source)
        clock = state["clock"]
        self.step, self.spent, self.losses = clock["step"], clock["spent"], clock["losses"]
        return True

    def finish(self, **measured: Any) -> dict[str, Any]:
        """Write the stage's report beside its model and mark it done."""
        report = {"steps": self.step, "seconds": round(self.spent + time.monotonic() - self._began, 1)}
        report |= {"losses": self.losses, "parameters": measured.pop("parameters", None)} | measured
        (self.path / "report.json").write_text(json.dumps(report, indent=1))
        (self.path / "state.pt").unlink(missing_ok=True)
        (self.path / "done").write_text("1")
        return report


class Pictures:
    """A set's pictures, tokens and labels on the device; `refresh` fetches what was rendered since."""

    def __init__(
        self, folder: Path, name: str, place: torch.device, least: int = 1, most: int | None = None, *,
        with_images: bool = True,
    ) -> None:  # fmt: skip
        while not (folder / "ready").exists():
            time.sleep(0.2)
        self.folder, self.name, self.device = folder, name, place
        self.arrays = renders.open_set(folder, name)
        self.most = count = min(len(self.arrays["tokens"]), most or 1 << 30)
        shape = (count, *self.arrays["image"].shape[1:]) if with_images else (0,)
        self.image = torch.empty(shape, dtype=torch.uint8, device=place)
        self.tokens = torch.zeros((count, 2, self.arrays["tokens"].shape[-1]), dtype=torch.long, device=place)
        self.labels = torch.zeros((count, self.arrays["labels"].shape[1]), dtype=torch.float16, device=place)
        self.have, self._images = 0, with_images
        while self.have < min(least, count):
            self.refresh()
            if self._abandoned() and self.have < min(least, count):
                raise RuntimeError(f"set '{name}' has {self.have} pictures: rendering ended before it was ready")
            time.sleep(0.1)

    def refresh(self, most: int = 8192) -> None:
        """Copy at most `most` new pictures."""
        until = min(renders.available(self.folder, self.name), self.have + most, self.most)
        while self.have < until:
            part = slice(self.have, min(until, self.have + 1024))
            if self._images:
                self.image[part] = torch.from_numpy(self.arrays["image"][part].copy()).to(self.device)
            self.tokens[part] = torch.from_numpy(self.arrays["tokens"][part].astype(np.int64)).to(self.device)
            self.labels[part] = torch.from_numpy(self.arrays["labels"][part].astype(np.float16)).to(self.device)
            self.have = part.stop

    def complete(self) -> Pictures:
        """Wait for the whole set."""
        while self.have < self.most and not self._abandoned():
            self.refresh()
            time.sleep(0.05)
        return self

    def _abandoned(self) -> bool:
        return (self.folder / "ended").exists() and self.have >= renders.available(self.folder, self.name)


def as_float(images: Tensor) -> Tensor:
    """uint8 (n, h, w, 3) -> float32 (n, 3, h, w) in -1..1."""
    return images.permute(0, 3, 1, 2).float().div(127.5).sub(1)


def as_bytes(pictures: Tensor) -> np.ndarray:
    """Inverse of `as_float`, clipped, on the CPU."""
    return np.asarray((pictures.float().clamp(-1, 1) + 1).mul(127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy())


def shifted(pictures: Tensor, rng: np.random.Generator, most: int = 6) -> Tensor:
    """The batch moved by up to `most` pixels, wrapping."""
    dy, dx = rng.integers(-most, most + 1, size=2).tolist()
    return torch.roll(pictures, (dy, dx), (2, 3))


def embed_images(encoder: Any, pictures: Tensor) -> Tensor:
    """Unit vectors (n, d) of pictures in -1..1 by a CLIPModel."""
    answer = encoder.get_image_features(pixel_values=pictures)
    return nn.functional.normalize(getattr(answer, "pooler_output", answer).float(), dim=-1)


def embed_texts(encoder: Any, tokens: Tensor) -> Tensor:
    """Unit vectors (n, d) of token ids by a CLIPModel."""
    answer = encoder.get_text_features(input_ids=tokens)
    return nn.functional.normalize(getattr(answer, "pooler_output", answer).float(), dim=-1)


def quiet() -> None:
    """No progress bars and no load reports: a stage's log holds what it learnt."""
    import diffusers
    import transformers

    diffusers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _half_norm(self: nn.GroupNorm, pictures: Tensor) -> Tensor:
    if not torch.is_autocast_enabled("cuda"):
        return nn.functional.group_norm(pictures, self.num_groups, self.weight, self.bias, self.eps)
    with torch.autocast("cuda", enabled=False):
        weight, bias = self.weight.bfloat16(), self.bias.bfloat16()
        return nn.functional.group_norm(pictures.bfloat16(), self.num_groups, weight, bias, self.eps)


def quick_norms(model: nn.Module) -> None:
    """Group norms in bfloat16 under autocast, which would take a detour through float32."""
    for part in model.modules():
        if isinstance(part, nn.GroupNorm) and part.weight.is_cuda:
            part.forward = _half_norm.__get__(part)  # type: ignore[method-assign]


def lighten(model: Any) -> Any:
    """A frozen model with linear and convolution weights in bfloat16, as autocast would make them every time."""
    for part in model.modules():
        if isinstance(part, nn.Linear | nn.Conv2d) and part.weight.is_cuda:
            part.to(torch.bfloat16)
    quick_norms(model)
    return model


def sizes_of(name: str) -> Sizes:
    return {"full": FULL, "tiny": TINY}[name]
