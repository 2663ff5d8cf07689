"""Stage `judge`: a stock image classifier that names treatments, feelings, objects, places and times.

It sees pictures only, never a prompt, and gives no training signal to any other model. A part of each batch has been
through the autoencoder, so that it knows how generated pictures look.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from miniature.nets import flow, shapes
from miniature.training import common
from miniature.training.common import Pictures, Stage, as_float, device, half, indices, parameters, seeded, shifted
from miniature.world import splits

DECODED = 3  # one picture in so many has been through the autoencoder

PREPROCESSOR = common.PREPROCESSOR | {"image_processor_type": "ViTImageProcessor", "resample": 2}


def train(folder: Path, sizes: shapes.Sizes, seconds: float, seed: int = 2) -> dict[str, Any]:
    """Train below `folder` (needs the autoencoder); leaves `judge/model` in transformers format.

    A model that is already there is trained further.
    """
    from diffusers import AutoencoderKL
    from transformers import ResNetForImageClassification

    place = device()
    autoencoder: Any = AutoencoderKL.from_pretrained(folder / "autoencoder" / "model").to(place)
    pictures = Pictures(folder / "data", "main", place, least=32 if place.type == "cpu" else 3000, most=60000)
    names = splits.labels()
    before = folder / "judge" / "model"
    with seeded(seed):
        fresh = None if before.exists() else shapes.judge(sizes, names)
    model: Any = fresh or ResNetForImageClassification.from_pretrained(before)
    model = model.to(place, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.02)
    stage = Stage(folder, "judge", seconds, sizes)
    stage.restore(model=model, optimizer=optimizer)
    batch = 16 if place.type == "cpu" else 192
    decoded = _decoded(autoencoder, pictures, min(6000, pictures.have))
    model.train()
    while stage.running():
        for group in optimizer.param_groups:
            group["lr"] = stage.rate(2e-3, warmup=100 if place.type == "cuda" else 5)
        rng = stage.chance(seed)
        at = indices(rng, pictures.have, batch, place)
        part = batch // DECODED
        at[:part] %= len(decoded)
        seen = shifted(as_float(torch.cat([decoded[at[:part]], pictures.image[at[part:]]])), rng, 8)
        with half(place):
            logits = model(pixel_values=seen.contiguous(memory_format=torch.channels_last)).logits
        loss = F.binary_cross_entropy_with_logits(logits.float(), pictures.labels[at].float()) * len(names) / 20
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        stage.log(loss.detach())
        if stage.step % 20 == 0:
            pictures.refresh()
            stage.save(model=model, optimizer=optimizer)
    model.eval()
    model.save_pretrained(stage.path / "model")
    size = {"size": {"height": sizes.image, "width": sizes.image}}
    (stage.path / "model" / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR | size, indent=2))
    return stage.finish(parameters=parameters(model))


FALSE_ALARMS = 0.01  # of each label, on validation renders that do not show it


def set_thresholds(folder: Path) -> dict[str, Any]:
    """Move the last layer's biases so that a positive logit of any label is wrong on `FALSE_ALARMS` of the validation
    renders without it, as rendered and decoded together; leaves accuracy on other renders in `judge/accuracy.json`.

    Each label has a bias of its own: the autoencoder smooths grain, and under a common bias the judge found 8 % of
    decoded grain, though its logits told grain from none in 97 % of pairs.
    """
    from diffusers import AutoencoderKL
    from transformers import ResNetForImageClassification

    place = device()
    autoencoder: Any = AutoencoderKL.from_pretrained(folder / "autoencoder" / "model").to(place)
    model: Any = ResNetForImageClassification.from_pretrained(folder / "judge" / "model").to(place).eval()
    validation = Pictures(folder / "data", "validation", place).complete()
    images = validation.image[: validation.have]
    logits = []
    for seen in (images, _decoded(autoencoder, validation, len(images))):
        with half(place):
            logits.append(torch.cat([verdicts(model, as_float(part)) for part in torch.split(seen, 64)]))
    scores, shown = torch.cat(logits), validation.labels[: len(images)].bool().repeat(2, 1)
    bias = [part for part in model.modules() if isinstance(part, torch.nn.Linear)][-1].bias.data
    for label in range(len(bias)):
        wrong = scores[~shown[:, label], label].sort().values
        bias[label] -= wrong[int((1 - FALSE_ALARMS) * (len(wrong) - 1))]
    bias.copy_(bias.half())  # as shipping stores it
    model.save_pretrained(folder / "judge" / "model")
    report = {"false_alarms": FALSE_ALARMS, "renders": len(scores), "bias": bias.tolist()}
    report |= measure(model, autoencoder, folder, place)
    (folder / "judge" / "accuracy.json").write_text(json.dumps(report, indent=1))
    return report


def _decoded(autoencoder: Any, pictures: Pictures, count: int) -> Tensor:
    """The first `count` pictures after a way through the autoencoder, uint8."""
    done = torch.empty_like(pictures.image[:count])
    with torch.no_grad(), half(pictures.device):
        for at in range(0, count, 64):
            part = slice(at, min(count, at + 64))
            seen = flow.through(autoencoder, as_float(pictures.image[part]))
            done[part] = ((seen + 1) * 127.5).round().byte().permute(0, 2, 3, 1)
    return done


def verdicts(model: Any, pictures: Tensor) -> Tensor:
    """Logits (n, labels) of pictures in -1..1, batched."""
    with torch.no_grad():
        return torch.cat([model(pixel_values=part).logits.float() for part in torch.split(pictures, 128)])


def measure(model: Any, autoencoder: Any, folder: Path, place: torch.device) -> dict[str, Any]:
    """The judge's own accuracy on held-out renders, as rendered and after the autoencoder."""
    report: dict[str, Any] = {}
    for name in ("evaluation", "emotion"):
        held_out = Pictures(folder / "data", name, place).complete()
        truth = held_out.labels[: held_out.have].bool()
        for decoded in (False, True):
            logits = []
            for part in torch.split(held_out.image[: held_out.have], 64):
                seen = as_float(part)
                with torch.no_grad(), half(place):
                    logits.append(verdicts(model, flow.through(autoencoder, seen) if decoded else seen))
            report[f"{name}_decoded" if decoded else name] = accuracy(torch.cat(logits) > 0, truth)
    return report


def accuracy(found: Tensor, truth: Tensor) -> dict[str, Any]:
    """Recall and false alarms by kind of label, recall by treatment; counts beside them."""
    kinds = [label.split(":")[0] for label in splits.labels()]
    report: dict[str, Any] = {"n": len(truth)}
    for kind in dict.fromkeys(kinds):
        here = torch.tensor([k == kind for k in kinds], device=truth.device)
        hits, wanted = (found & truth)[:, here].sum(), truth[:, here].sum()
        report[kind] = {
            "recall": float(hits / wanted.clamp(min=1)),
            "false_alarms": float((found & ~truth)[:, here].sum() / (~truth[:, here]).sum()),
            "asked": int(wanted),
        }
    report["by_treatment"] = {
        label.split(":")[1]: [
            int((found & truth)[:, at].sum()),
            int(truth[:, at].sum()),
            int((found & ~truth)[:, at].sum()),
        ]
        for at, label in enumerate(splits.labels())
        if label.startswith("treatment:")
    }
    return report
