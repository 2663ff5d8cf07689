"""Stage `generator`: Flux's transformer and its T5 reader as a rectified flow over latents of the rendered world.

Noise levels are logit-normal, one caption in ten is dropped so that guidance has an empty prompt to point away from;
Muon for the matrices of the blocks, AdamW for the rest; the average of the weights is kept.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from miniature.nets import flow, shapes
from miniature.nets.flow import Text
from miniature.training.common import Pictures, Stage, as_float, device, half, lighten, parameters, seeded
from miniature.world import vocabulary

DROPPED = 0.1
AVERAGE = 0.9992


class Latents:
    """Packed latents and pooled text of the training pictures, encoded on the device as they are rendered."""

    def __init__(self, folder: Path, autoencoder: Any, reader: Any, place: torch.device, sizes: shapes.Sizes) -> None:
        self.pictures = Pictures(folder / "data", "main", place, with_images=False, least=32)
        self.autoencoder, self.reader, self.device = autoencoder, reader, place
        count, positions = len(self.pictures.tokens), (sizes.latent // 2) ** 2
        kind = torch.bfloat16 if place.type == "cuda" else torch.float32
        self.packed = torch.empty((count, positions, 4 * sizes.latent_channels), dtype=kind, device=place)
        self.pooled = torch.empty((count, 2, sizes.text[0]), dtype=kind, device=place)
        self.have = 0

    def extend(self, most: int) -> None:
        """Encode at most `most` further pictures."""
        self.pictures.refresh(most)
        until = min(self.pictures.have, self.have + most)
        while self.have < until:
            part = slice(self.have, min(until, self.have + 256))
            images = torch.from_numpy(self.pictures.arrays["image"][part].copy()).to(self.device)
            with torch.no_grad(), half(self.device):
                self.packed[part] = flow.encode(self.autoencoder, as_float(images)).to(self.packed.dtype)
                for way in (0, 1):
                    self.pooled[part, way] = self.reader(self.pictures.tokens[part, way]).pooler_output.to(
                        self.pooled.dtype
                    )
            self.have = part.stop


def train(folder: Path, sizes: shapes.Sizes, seconds: float, seed: int = 3, *, wait: float = 3600) -> dict[str, Any]:
    """Train below `folder` once autoencoder and encoder are done; leaves `generator/model`, a stock FluxPipeline.

    A model that is already there is trained further. The budget starts when both are there; until then the transformer
    is compiled (GPU only).
    """
    place = device()
    transformer, t5 = (model.to(place) for model in _initial(folder, sizes, seed))
    batch = 16 if place.type == "cpu" else 512
    running = transformer
    if place.type == "cuda":
        running = torch.compile(transformer, dynamic=False)
        _warm(running, t5, sizes, batch, place)
    parts = _parts(folder, place, wait)
    latents = Latents(folder, parts["vae"], parts["text_encoder"], place, sizes)
    latents.extend(16384)
    stage = Stage(folder, "generator", seconds, sizes)
    optimizers, weights = _optimizers(transformer, t5)
    average = [weight.detach().clone() for weight in weights]
    stage.restore(transformer=transformer, t5=t5, average=average, **_named(optimizers))
    empty = torch.tensor(vocabulary.encode([""], vocabulary.vocabulary()).astype("int64"), device=place)
    with torch.no_grad(), half(place):
        no_text = parts["text_encoder"](empty).pooler_output.to(latents.pooled.dtype)
    mean = torch.full((), 2.0, device=place)
    while stage.running():
        if stage.step % 20 == 0:
            latents.extend(2048)
        warm = 200 if place.type == "cuda" else 5
        pace = min(1.0, (stage.step + 1) / warm) * min(1.0, max(0.0, (1 - stage.fraction) / 0.35))
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * pace
        chance = torch.Generator(place).manual_seed(int(stage.chance(seed).integers(1 << 62)))
        at = torch.randint(0, latents.have, (batch,), device=place, generator=chance)
        way = torch.randint(0, 2, (batch,), device=place, generator=chance)
        tokens, pooled = latents.pictures.tokens[at, way], latents.pooled[at, way]
        dropped = torch.rand(batch, device=place, generator=chance) < DROPPED
        tokens = torch.where(dropped[:, None], empty, tokens)
        pooled = torch.where(dropped[:, None], no_text, pooled)
        loss = _loss(running, t5, latents.packed[at].float(), tokens, pooled, chance)
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, 1.0)
        for optimizer in optimizers:
            optimizer.step()
        torch._foreach_lerp_(average, weights, max(1 - AVERAGE, 1 / (stage.step + 1)))
        mean.lerp_(loss.detach(), max(0.02, 1 / (stage.step + 1)))
        stage.log(mean, every=100, pictures=latents.have)
        if stage.step % 100 == 0:
            stage.save(transformer=transformer, t5=t5, average=average, **_named(optimizers))
    for weight, smooth in zip(weights, average, strict=True):
        weight.data.copy_(smooth)
    save(stage.path / "model", transformer.eval(), t5.eval(), parts["vae"], parts["text_encoder"])
    sizes_report = {"transformer": parameters(transformer), "t5": parameters(t5)}
    return stage.finish(parameters=sizes_report, pictures=latents.have, samples=stage.step * batch)


def _initial(folder: Path, sizes: shapes.Sizes, seed: int) -> tuple[Any, Any]:
    """Transformer and T5 of the model that is there, or new ones."""
    if (before := folder / "generator" / "model").exists():
        from diffusers import FluxPipeline

        pipeline: Any = FluxPipeline.from_pretrained(before)
        return pipeline.transformer.train(), pipeline.text_encoder_2.train()
    with seeded(seed):
        words = len(vocabulary.vocabulary()) + len(vocabulary.SPECIAL)
        return shapes.transformer(sizes), shapes.t5(sizes, words)


def _parts(folder: Path, place: torch.device, wait: float) -> dict[str, Any]:
    """Autoencoder and CLIP text tower, frozen, as soon as their stages are done."""
    from diffusers import AutoencoderKL
    from transformers import CLIPTextModel

    until = time.monotonic() + wait
    while not all((folder / name / "done").exists() for name in ("autoencoder", "encoder")):
        if time.monotonic() > until:
            raise TimeoutError("the stages autoencoder and encoder are not done")
        time.sleep(0.2)
    vae = AutoencoderKL.from_pretrained(folder / "autoencoder" / "model").to(place).eval().requires_grad_(False)
    reader = CLIPTextModel.from_pretrained(folder / "encoder" / "model").to(place).eval().requires_grad_(False)
    return {"vae": vae, "text_encoder": reader}


def _optimizers(transformer: Any, t5: Any) -> tuple[list[Any], list[Tensor]]:
    """Muon for the matrices of the blocks, AdamW for everything else; each group keeps its peak rate."""
    matrices: list[Tensor] = []
    others: list[Tensor] = []
    for name, weight in transformer.named_parameters():
        inside = "transformer_blocks" in name and weight.ndim == 2 and ".norm" not in name
        (matrices if inside else others).append(weight)
    others += list(t5.parameters())
    muon = torch.optim.Muon(matrices, lr=1.2e-3, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
    adam = torch.optim.AdamW(others, lr=8e-4, betas=(0.9, 0.99), weight_decay=0.0)
    for optimizer in (muon, adam):
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return [muon, adam], matrices + others


def _named(optimizers: list[Any]) -> dict[str, Any]:
    return {f"optimizer{number}": optimizer for number, optimizer in enumerate(optimizers)}


def _loss(model: Any, t5: Any, packed: Tensor, tokens: Tensor, pooled: Tensor, chance: torch.Generator) -> Tensor:
    """Mean squared error of the velocity at a random noise level."""
    level = torch.sigmoid(torch.randn(len(packed), device=packed.device, generator=chance) + 0.2)
    noise = torch.randn(packed.shape, device=packed.device, generator=chance)
    mixed = packed + level[:, None, None] * (noise - packed)
    with half(packed.device):
        states = t5(tokens)[0]
        answer = flow.velocity(model, mixed, level, Text(states, pooled.to(states.dtype)))
    return (answer.float() - (noise - packed)).square().mean()


def _warm(running: Any, t5: Any, sizes: shapes.Sizes, batch: int, place: torch.device) -> None:
    """Compile forward and backward on noise."""
    packed = torch.zeros(batch, (sizes.latent // 2) ** 2, 4 * sizes.latent_channels, device=place)
    tokens = torch.zeros(batch, vocabulary.LENGTH, dtype=torch.long, device=place)
    pooled = torch.zeros(batch, sizes.text[0], dtype=torch.bfloat16, device=place)
    began = time.monotonic()
    _loss(running, t5, packed, tokens, pooled, torch.Generator(place)).backward()  # type: ignore[no-untyped-call]
    for weight in [*running.parameters(), *t5.parameters()]:
        weight.grad = None
    print(f"[generator] compiled in {time.monotonic() - began:.0f} s", flush=True)


def save(target: Path, transformer: Any, t5: Any, vae: Any, reader: Any) -> None:
    """A FluxPipeline that stock `from_pretrained` loads."""
    from diffusers import FluxPipeline

    tokenizer = vocabulary.tokenizer(vocabulary.vocabulary())
    pipeline = FluxPipeline(
        scheduler=shapes.scheduler(),
        vae=vae,
        text_encoder=reader,
        tokenizer=tokenizer,
        text_encoder_2=t5,
        tokenizer_2=tokenizer,
        transformer=transformer,
    )
    pipeline.save_pretrained(target)


def load(folder: Path, place: torch.device) -> dict[str, Any]:
    """The saved pipeline's parts, frozen."""
    from diffusers import FluxPipeline

    pipeline: Any = FluxPipeline.from_pretrained(folder / "generator" / "model")
    parts = {"transformer": pipeline.transformer, "t5": pipeline.text_encoder_2}
    parts |= {"vae": pipeline.vae, "reader": pipeline.text_encoder}
    return {name: lighten(part.to(place).eval().requires_grad_(False)) for name, part in parts.items()}


def tokens_of(captions: list[str], place: torch.device) -> Tensor:
    """Token ids int64 (n, LENGTH) on the device."""
    return torch.from_numpy(vocabulary.encode(captions, vocabulary.vocabulary()).astype("int64")).to(place)


def read(parts: dict[str, Any], captions: list[str], place: torch.device) -> Text:
    """What the transformer is told of each caption."""
    return flow.read(parts["t5"], parts["reader"], tokens_of(captions, place))
