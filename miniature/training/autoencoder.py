"""Stage `autoencoder`: AutoencoderKL on crops first, whole pictures last.

L1 + gradients + low frequencies + squares, a light KL; every fourth step decodes a latent of half the size, which keeps
the latent space smooth under scaling (the idea of EQ-VAE) and is easier for the generator. The average of the weights
is kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from miniature.nets import shapes
from miniature.training.common import (
    Pictures,
    Stage,
    as_float,
    device,
    half,
    indices,
    normal,
    parameters,
    quick_norms,
    seeded,
)


def train(folder: Path, sizes: shapes.Sizes, seconds: float, seed: int = 0) -> dict[str, Any]:
    """Train below `folder`; leaves `autoencoder/model` in diffusers format with its scaling and shift set."""
    place = device()
    with seeded(seed):
        model: Any = shapes.autoencoder(sizes).to(place, memory_format=torch.channels_last)
    quick_norms(model)
    pictures = Pictures(folder / "data", "main", place, least=32 if place.type == "cpu" else 3000, most=24000)
    stage = Stage(folder, "autoencoder", seconds, sizes)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=1e-3)
    weights = list(model.parameters())
    average = [weight.detach().clone() for weight in weights]
    stage.restore(model=model, optimizer=optimizer, average=average)
    while stage.running():
        whole = stage.fraction > 0.75
        edge = sizes.image if whole else sizes.image // 2
        batch = 4 if place.type == "cpu" else 24 if whole else 64
        for group in optimizer.param_groups:
            group["lr"] = stage.rate(8e-4)
        rng = stage.chance(seed)
        target = as_float(pictures.image[indices(rng, pictures.have, batch, place)])
        y, x = (rng.integers((sizes.image - edge) // 8 + 1, size=2) * 8).tolist()
        target = target[:, :, y : y + edge, x : x + edge].contiguous(memory_format=torch.channels_last)
        loss, squares = _loss(model, target, rng, halve=stage.step % 4 == 3)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        torch._foreach_lerp_(average, weights, max(0.005, 1 / (stage.step + 1)))
        stage.log(loss.detach(), every=100, psnr=10 * torch.log10(4 / squares))
        if stage.step % 50 == 0:
            pictures.refresh()
            stage.save(model=model, optimizer=optimizer, average=average)
    for weight, mean in zip(weights, average, strict=True):
        weight.data.copy_(mean)
    model.eval()
    report = _measure(model, folder, place)
    model.register_to_config(scaling_factor=1 / report["latent_sd"], shift_factor=report["latent_mean"])
    model.save_pretrained(stage.path / "model")
    return stage.finish(parameters=parameters(model), **report)


def _loss(model: Any, target: Tensor, rng: np.random.Generator, *, halve: bool) -> tuple[Tensor, Tensor]:
    """The loss and the mean square of the error."""
    with half(target.device):
        posterior = model.encode(target).latent_dist
        mean, log_variance = posterior.mean.float(), posterior.logvar.float().clamp(-20, 10)
        latents = mean + normal(mean.shape, rng, mean.device) * (0.5 * log_variance).exp()
        if halve:
            latents = F.interpolate(latents, scale_factor=0.5, mode="bilinear")
            target = F.interpolate(target, scale_factor=0.5, mode="bilinear", antialias=True)
        error = model.decode(latents).sample.float() - target
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
    loss, squares = difference(error)
    return loss + 4e-4 * divergence, squares


def difference(error: Tensor) -> tuple[Tensor, Tensor]:
    """How far a picture is off: L1, gradients, low frequencies and squares; the mean square alone beside it."""
    squares = error.square().mean()
    edges = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
    low = F.avg_pool2d(error, 4).abs().mean()
    return error.abs().mean() + 0.7 * edges + 0.5 * low + 2 * squares, squares.detach()


def _measure(model: Any, folder: Path, place: torch.device) -> dict[str, Any]:
    """Peak signal-to-noise ratio on held-out renders, clean and treated apart; statistics of the latents."""
    held_out = Pictures(folder / "data", "evaluation", place).complete()
    latents, errors = [], []
    with torch.no_grad(), half(place):
        for part in torch.split(held_out.image[: held_out.have], 64):
            pictures = as_float(part)
            mean = model.encode(pictures).latent_dist.mean
            latents.append(mean.float())
            errors.append((model.decode(mean).sample.float().clamp(-1, 1) - pictures).square().mean((1, 2, 3)))
    values, ratio = torch.cat(latents), 10 * torch.log10(4 / torch.cat(errors))
    return {
        "psnr_clean": float(ratio[0::2].mean()),
        "psnr_treated": float(ratio[1::2].mean()),
        "n": len(ratio),
        "latent_mean": float(values.mean()),
        "latent_sd": float(values.std()),
    }
