"""Stage `tiny_decoder`: a decoder of 0.46 M parameters that imitates the autoencoder's, for previews in a browser.

A chain of plain convolutions in the manner of TAESD (Bohan, 2023): no normalisation, residual blocks, nearest-neighbour
growth, sub-pixel output; one gate from the mean over the picture stands in for the statistics that group normalisation
sees. It learns from latents of rendered scenes and of generated pictures, finished and on their way, with what the full
decoder makes of them as the answer.
"""

from __future__ import annotations

from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from miniature.nets import flow, lowrank, shapes
from miniature.training import generator
from miniature.training.autoencoder import difference
from miniature.training.common import Stage, as_bytes, as_float, device, half, parameters
from miniature.world import captions, painting, scenes

WIDTHS, DEPTH = (64, 48, 32), 3  # channels and residual blocks at 1, 2 and 4 times the latent's side
STRENGTHS = (0.0, 0.5, 1.0, 1.5)  # of the aligned variants whose latents it learns from
LEARNT = {"cuda": (2400, 250), "cpu": (700, 130)}  # scenes of the training split; prompts drawn, each with four latents
HELD_OUT = (24, 8)  # of the validation split
BATCH = {"cuda": 8, "cpu": 2}
ARM = "draft-s0"


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


class TinyDecoder(nn.Module):
    """Packed latents (n, positions, 4 c), as the sampler has them, to pictures in -1..1, not clipped."""

    def __init__(self, latent_channels: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(latent_channels, WIDTHS[0], 3, padding=1)
        self.tone = nn.Linear(WIDTHS[0], WIDTHS[0])
        self.blocks = nn.ModuleList(nn.ModuleList(Residual(width) for _ in range(DEPTH)) for width in WIDTHS)
        self.grow = nn.ModuleList(nn.Conv2d(*pair, 3, padding=1) for pair in pairwise(WIDTHS))
        self.leave = nn.Conv2d(WIDTHS[-1], 12, 3, padding=1)

    def forward(self, packed: Tensor) -> Tensor:
        x = F.relu(self.enter(flow.unpack(packed)))
        x = x * (1 + self.tone(x.mean((2, 3))))[:, :, None, None]
        for level, blocks in enumerate(self.blocks):
            if level:
                x = F.relu(self.grow[level - 1](F.interpolate(x, scale_factor=2, mode="nearest")))
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x)
        return F.pixel_shuffle(self.leave(x), 2)


def train(folder: Path, sizes: shapes.Sizes, seconds: float, seed: int = 5) -> dict[str, Any]:
    """Train below `folder` (needs the generator and an aligned variant); leaves `tiny_decoder/model.safetensors`."""
    torch.manual_seed(seed)
    place = device()
    learn, held_out = lessons(folder, sizes, place, "train"), lessons(folder, sizes, place, "validation")
    model: Any = TinyDecoder(sizes.latent_channels).to(place)
    model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.99), weight_decay=0)
    weights = list(model.parameters())
    average = [weight.detach().clone() for weight in weights]
    stage = Stage(folder, "tiny_decoder", seconds, sizes)
    stage.restore(model=model, optimizer=optimizer, average=average)
    while stage.running():
        for group in optimizer.param_groups:
            group["lr"] = stage.rate(2e-3)
        at = torch.randint(0, len(learn["packed"]), (BATCH[place.type],))
        with torch.autocast(place.type, torch.bfloat16):
            made = model(learn["packed"][at].float().to(place))
        loss, squares = difference(made.float() - as_float(learn["decoded"][at].to(place)))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        torch._foreach_lerp_(average, [weight.data for weight in weights], max(0.005, 1 / (stage.step + 1)))
        stage.log(loss.detach(), every=100, psnr=10 * torch.log10(4 / squares))
        if stage.step % 50 == 0:
            stage.save(model=model, optimizer=optimizer, average=average)
    for weight, mean in zip(weights, average, strict=True):
        weight.data.copy_(mean)
    save_file(
        {key: value.cpu().contiguous() for key, value in model.state_dict().items()}, stage.path / "model.safetensors"
    )
    return stage.finish(parameters=parameters(model), **measure(model.eval(), held_out, place))


def lessons(folder: Path, sizes: shapes.Sizes, place: torch.device, split: scenes.Split) -> dict[str, Tensor]:
    """Latents `packed` float16 (n, positions, 4 c), what the full decoder makes of them `decoded` uint8 (n, h, w, 3),
    and whether each is of a `render`; made once and kept in the stage's folder."""
    path = folder / "tiny_decoder" / f"{split}.safetensors"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        parts = generator.load(folder, place)
        renders, drawings = LEARNT[place.type] if split == "train" else HELD_OUT
        if sizes is shapes.TINY:
            renders, drawings = 4, 2
        with torch.no_grad(), half(place):
            packed = torch.cat([_rendered(parts, sizes, split, renders), _drawn(folder, parts, sizes, split, drawings)])
            decoded = torch.cat([flow.decode(parts["vae"], part) for part in torch.split(packed, 1)])
        answers = torch.from_numpy(np.ascontiguousarray(as_bytes(decoded)))
        render = torch.arange(len(packed)) < renders
        save_file({"packed": packed.half(), "decoded": answers, "render": render}, path)
    made: dict[str, Tensor] = load_file(path)
    return made


def _rendered(parts: dict[str, Any], sizes: shapes.Sizes, split: scenes.Split, count: int) -> Tensor:
    """Latents of rendered scenes, half of them treated."""
    latents = []
    for number in range(count):
        scene, asked, rng = _subject(split, number)
        image = painting.render(scene, asked, int(rng.integers(1 << 30)))
        seen = as_float(torch.from_numpy(np.asarray(image))[None])
        latents.append(flow.encode(parts["vae"], F.interpolate(seen, sizes.image, mode="area").to(parts["vae"].device)))
    return torch.cat(latents)


def _subject(split: scenes.Split, number: int) -> tuple[scenes.Scene, list[scenes.Asked], np.random.Generator]:
    rng = np.random.default_rng([7, split == "train", number])
    scene = scenes.sample_scene(rng, split)
    return scene, scenes.sample_treatments(rng, scene) if number % 2 else [], rng


def _drawn(folder: Path, parts: dict[str, Any], sizes: shapes.Sizes, split: scenes.Split, count: int) -> Tensor:
    """Latents of generated pictures: what the sampler expects after each second step; strengths in turn."""
    stored = load_file(folder / "alignment" / f"{ARM}.safetensors")
    attached = lowrank.attach(parts["transformer"], lowrank.FLUX_LAYERS, lowrank.rank_of(stored), 0)
    lowrank.install(attached, stored)
    latents = []
    for number, strength in islice(enumerate(cycle(STRENGTHS)), count):
        scene, asked, rng = _subject(split, 10_000 + number)
        lowrank.set_scale(attached, strength)
        caption = captions.asking(captions.plain_caption(scene, rng), asked)
        latents += _expected(parts, sizes, _read(parts, caption), _read(parts, ""), number)
    return torch.cat(latents)


def _read(parts: dict[str, Any], caption: str) -> flow.Text:
    return generator.read(parts, [caption], parts["vae"].device)


def _expected(parts: dict[str, Any], sizes: shapes.Sizes, text: flow.Text, empty: flow.Text, seed: int) -> list[Tensor]:
    noise = flow.noise([seed], sizes.latent_channels, sizes.latent).to(parts["vae"].device)
    steps = flow.denoise(parts["transformer"], noise, text, empty)
    return [expected for number, (_, expected) in enumerate(steps) if number % 2]


def measure(model: nn.Module, held_out: dict[str, Tensor], place: torch.device) -> dict[str, Any]:
    """Mean peak signal-to-noise ratio (dB) to the full decoder's picture, renders and generated latents apart."""
    with torch.no_grad():
        made = [as_bytes(model(part.float().to(place))) for part in torch.split(held_out["packed"], 4)]
    error = torch.from_numpy(np.concatenate(made)).float() - held_out["decoded"].float()
    ratio = 10 * torch.log10(255**2 / error.square().mean((1, 2, 3)))
    render = held_out["render"]
    return {"psnr_render": float(ratio[render].mean()), "psnr_generated": float(ratio[~render].mean()), "n": len(ratio)}
