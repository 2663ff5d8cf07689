"""Rectified flow on packed latents, as FluxPipeline runs it: noising, guided Euler steps, packing, decoding.

Training uses this, where gradients flow through a step or half-done pictures are looked at; pictures that are measured
are drawn by the evidence engine, and `tests/miniature` compares the two. True classifier-free guidance, away from the
empty prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from miniature.nets.shapes import SHIFT

STEPS, GUIDANCE = 8, 3.0


@dataclass(frozen=True)
class Text:
    """Embeddings that the transformer reads: T5 states (n, length, width), pooled CLIP (n, width)."""

    states: Tensor
    pooled: Tensor

    def __getitem__(self, at: slice | Tensor) -> Text:
        return Text(self.states[at], self.pooled[at])


def pack(latents: Tensor) -> Tensor:
    """(n, c, h, w) -> (n, h/2 * w/2, 4c), FluxPipeline's order."""
    n, c, h, w = latents.shape
    return latents.view(n, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5).reshape(n, h * w // 4, 4 * c)


def unpack(packed: Tensor) -> Tensor:
    """Inverse of `pack` for square latents."""
    n, positions, c = packed.shape
    side = int(positions**0.5)
    return packed.view(n, side, side, c // 4, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(n, c // 4, 2 * side, 2 * side)


def positions(side: int, device: torch.device | str) -> Tensor:
    """Row and column of each packed position, (side * side, 3)."""
    ids = torch.zeros(side, side, 3, device=device)
    ids[..., 1] += torch.arange(side, device=device)[:, None]
    ids[..., 2] += torch.arange(side, device=device)[None, :]
    return ids.reshape(-1, 3)


def sigmas(steps: int, shift: float = SHIFT) -> list[float]:
    """Noise levels of the sampler from 1 down to 0, `steps` + 1 of them."""
    even = torch.linspace(1, 1 / steps, steps, dtype=torch.float64)
    return [*(shift * even / (1 + (shift - 1) * even)).tolist(), 0.0]


def velocity(model: Any, packed: Tensor, time: Tensor, text: Text) -> Tensor:
    """The transformer's estimate of noise - picture at `time` in 0..1, shape of `packed`."""
    side = int(packed.shape[1] ** 0.5)
    answer = model(
        hidden_states=packed,
        encoder_hidden_states=text.states,
        pooled_projections=text.pooled,
        timestep=time,
        img_ids=positions(side, packed.device),
        txt_ids=torch.zeros(text.states.shape[1], 3, device=packed.device),
        return_dict=False,
    )
    return answer[0]  # type: ignore[no-any-return]


def guided(model: Any, packed: Tensor, time: float, text: Text, empty: Text, guidance: float) -> Tensor:
    """Velocity with true classifier-free guidance, both halves in one batch."""
    n = len(packed)
    both = Text(
        torch.cat([empty.states.expand(n, -1, -1), text.states]), torch.cat([empty.pooled.expand(n, -1), text.pooled])
    )
    times = torch.full((2 * n,), time, device=packed.device, dtype=packed.dtype)
    away, toward = velocity(model, torch.cat([packed, packed]), times, both).chunk(2)
    return away + guidance * (toward - away)


def denoise(model: Any, noise: Tensor, text: Text, empty: Text, stop: int = STEPS) -> Iterator[tuple[Tensor, Tensor]]:
    """The sampler's first `stop` steps from packed noise: after each, packed latents as they are, and as the sampler
    expects them in the end."""
    levels, packed = sigmas(STEPS), noise
    for number in range(stop):
        speed = guided(model, packed, levels[number], text, empty, GUIDANCE)
        packed = packed + (levels[number + 1] - levels[number]) * speed
        yield packed, packed - levels[number + 1] * speed


def sample(model: Any, noise: Tensor, text: Text, empty: Text, stop: int = STEPS) -> Tensor:
    """Packed latents after the first `stop` steps."""
    packed = noise
    for reached in denoise(model, noise, text, empty, stop):
        packed = reached[0]
    return packed


def decode(autoencoder: Any, packed: Tensor) -> Tensor:
    """Pictures (n, 3, h, w) in -1..1, not clipped."""
    latents = unpack(packed) / autoencoder.config.scaling_factor + autoencoder.config.shift_factor
    return autoencoder.decode(latents).sample  # type: ignore[no-any-return]


def encode(autoencoder: Any, pictures: Tensor) -> Tensor:
    """Packed latents of pictures in -1..1, the mean of the posterior."""
    mean = autoencoder.encode(pictures).latent_dist.mean
    return pack((mean - autoencoder.config.shift_factor) * autoencoder.config.scaling_factor)


def through(autoencoder: Any, pictures: Tensor) -> Tensor:
    """Pictures in -1..1 after a way through the autoencoder."""
    mean = autoencoder.encode(pictures).latent_dist.mean
    return autoencoder.decode(mean).sample.float().clamp(-1, 1)  # type: ignore[no-any-return]


def noise(seeds: Sequence[int], channels: int, side: int) -> Tensor:
    """Packed noise, one CPU generator per picture as FluxPipeline uses it, float32."""
    single = [torch.randn((1, channels, side, side), generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return pack(torch.cat(single))


def read(pipe_t5: Any, pipe_clip: Any, tokens: Tensor) -> Text:
    """Text states of token ids (n, length). Padding is not masked, as in FluxPipeline."""
    return Text(pipe_t5(tokens)[0], pipe_clip(tokens).pooler_output)
