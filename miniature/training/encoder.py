"""Stage `encoder`: the un-aligned image-text encoder, CLIP's symmetric contrastive loss on plain and treated captions.

A batch holds whole pairs that differ only in treatment, feeling or layout, so the encoder has to read these words.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from miniature.nets import shapes
from miniature.training import common
from miniature.training.common import (
    Pictures,
    Stage,
    as_float,
    device,
    embed_images,
    embed_texts,
    half,
    indices,
    parameters,
    seeded,
    shifted,
)
from miniature.world import vocabulary

PREPROCESSOR = common.PREPROCESSOR | {
    "image_processor_type": "CLIPImageProcessor",
    "do_center_crop": True,
    "do_convert_rgb": True,
    "resample": 3,
}


def train(folder: Path, sizes: shapes.Sizes, seconds: float, seed: int = 1) -> dict[str, Any]:
    """Train below `folder`; leaves `encoder/model` in transformers format."""
    place = device()
    pictures = Pictures(folder / "data", "main", place, least=32 if place.type == "cpu" else 3000, most=60000)
    known = vocabulary.vocabulary()
    with seeded(seed):
        model: Any = shapes.encoder(sizes, len(known) + len(vocabulary.SPECIAL)).to(place)
    matrices = [weight for weight in model.parameters() if weight.ndim > 1]
    others = [weight for weight in model.parameters() if weight.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98))
    stage = Stage(folder, "encoder", seconds, sizes)
    stage.restore(model=model, optimizer=optimizer)
    batch = 16 if place.type == "cpu" else 1024
    while stage.running():
        for group in optimizer.param_groups:
            group["lr"] = stage.rate(1e-3, warmup=100 if place.type == "cuda" else 5)
        rng = stage.chance(seed)
        first = indices(rng, pictures.have // 2, batch // 2, place) * 2
        at = torch.stack([first, first + 1], 1).reshape(-1)
        tokens = pictures.tokens[at, int(rng.integers(2))]
        with half(place):
            images = embed_images(model, shifted(as_float(pictures.image[at]), rng))
            texts = embed_texts(model, tokens)
        loss, right = _contrast(model.logit_scale.exp().clamp(max=100) * images @ texts.T, tokens)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        stage.log(loss.detach(), right=right)
        if stage.step % 20 == 0:
            pictures.refresh()
            stage.save(model=model, optimizer=optimizer)
    model.eval()
    save(model, known, stage.path / "model", sizes)
    return stage.finish(parameters=parameters(model), **measure(model, folder, place))


def _contrast(logits: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Symmetric cross entropy and the share of pictures that find their caption; equal captions do not compete."""
    same = (tokens[:, None] == tokens[None]).all(-1)
    same &= ~torch.eye(len(tokens), dtype=torch.bool, device=tokens.device)
    logits = logits.float().masked_fill(same, -1e4)
    target = torch.arange(len(tokens), device=tokens.device)
    loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    return loss, (logits.argmax(1) == target).float().mean()


def save(model: Any, known: list[str], target: Path, sizes: shapes.Sizes) -> None:
    """Model, tokenizer and preprocessor, so that stock `from_pretrained` loads each."""
    import json

    model.save_pretrained(target)
    vocabulary.tokenizer(known).save_pretrained(target)
    size = {"size": {"shortest_edge": sizes.image}, "crop_size": {"height": sizes.image, "width": sizes.image}}
    (target / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR | size, indent=2))


def measure(model: Any, folder: Path, place: torch.device) -> dict[str, Any]:
    """Forced choices on rendered truth: the treated picture under its request, the clean one under the plain prompt."""
    report: dict[str, Any] = {}
    for name in ("evaluation", "emotion"):
        held_out = Pictures(folder / "data", name, place).complete()
        score = scores(model, held_out)
        report[name] = {
            "picks_requested": float((score[1, 1] > score[0, 1]).float().mean()),
            "picks_plain": float((score[0, 0] > score[1, 0]).float().mean()),
            "n": score.shape[-1],
        }
    return report


def scores(model: Any, pairs: Pictures) -> Tensor:
    """Cosines (2, 2, n): [picture plain or requested, prompt plain or requested] of a set of rendered pairs."""
    with torch.no_grad(), half(pairs.device):
        image = torch.cat([embed_images(model, as_float(part)) for part in torch.split(pairs.image[: pairs.have], 256)])
        text = torch.cat([embed_texts(model, part) for part in torch.split(pairs.tokens[: pairs.have, 0], 256)])
    return torch.stack([torch.stack([(image[i::2] * text[p::2]).sum(-1) for p in (0, 1)]) for i in (0, 1)])
