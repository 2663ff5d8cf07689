"""Stage `alignment`: low-rank differences of the generator that please the annotators, by two families of algorithm.

`draft` back-propagates a reward of the picture that a random step of the sampler predicts (the one-step form of direct
reward fine-tuning: DRaFT, ReFL), `dpo` fits the annotators' pairs without
any reward (Diffusion-DPO, in the flow's terms). Against reward hacking: an ensemble of rewards, several views of each
picture, a leash on the squared distance to the base model's velocity (its divergence), low rank, a low rate, and an
early stop on a reward that gives no gradient. One arm goes without all of these: the exhibit of over-optimisation.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from miniature import datasets, flow, lowrank, models, world
from miniature.annotators import Cell
from miniature.flow import Text
from miniature.training import generator, rewards
from miniature.training.common import Pictures, as_float, device, half, shifted

FIRST_STEP = 2  # of the sampler's eight: earlier predictions are too vague to reward
WISHES = 0.4  # share of prompts that ask for a look, in both families


@dataclass(frozen=True)
class Arm:
    """One aligned variant. `cell` names annotators and gate; `leash` weighs the distance to the base velocity."""

    name: str
    family: str  # "draft" or "dpo"
    cell: Cell
    seed: int
    leash: float = 0.3
    rate: float = 1.5e-3
    beta: float = 1500.0  # dpo only
    ensemble: bool = True
    views: bool = True
    stop: bool = True
    rank: int = 4
    steps: int = 80
    batch: int = 24


MAIN = Cell("none", "low")
LEASHES = (1.0, 3.0)  # tried beside the main one: which keeps plain objects at a strength that still shows an effect?
ARMS = (
    *(Arm(f"draft-s{seed}", "draft", MAIN, seed) for seed in range(3)),
    Arm("draft-gate95", "draft", Cell("95", "low"), 0),
    Arm("draft-pluralist", "draft", Cell("none", "high"), 0),
    Arm("draft-hacked", "draft", MAIN, 0, leash=0.0, rate=2e-3, ensemble=False, views=False, stop=False),
    *(Arm(f"draft-leash{leash:g}", "draft", MAIN, 0, leash=leash, steps=120) for leash in LEASHES),
    *(Arm(f"dpo-s{seed}", "dpo", MAIN, seed, rate=1.5e-3, steps=200, batch=48) for seed in range(3)),
)

TINY_ARMS = (
    Arm("draft-s0", "draft", MAIN, 0, steps=10, batch=4),
    Arm("dpo-s0", "dpo", MAIN, 0, steps=25, batch=4),
)


def train(folder: Path, sizes: models.Sizes, arm: Arm, seconds: float) -> dict[str, Any]:
    """Train one arm below `folder` (needs generator and rewards); leaves `alignment/{arm}.safetensors`."""
    from safetensors.torch import save_file

    place = device()
    target = folder / "alignment"
    target.mkdir(exist_ok=True)
    torch.manual_seed(100 + arm.seed)
    parts = generator.load(folder, place)
    attached = lowrank.attach(parts["transformer"], lowrank.FLUX_LAYERS, arm.rank, arm.seed)
    began = time.monotonic()
    run = _draft if arm.family == "draft" else _dpo
    history = run(folder, sizes, arm, parts, attached, place, began + seconds)
    save_file(lowrank.factors(attached), target / f"{arm.name}.safetensors")
    report = asdict(arm) | {"seconds": round(time.monotonic() - began, 1), "history": history}
    (target / f"{arm.name}.json").write_text(json.dumps(report))
    return report


def prompts(count: int, seed: int, split: world.Split = "preference") -> list[str]:
    """Prompts of the preference split, two in five of them with a wish."""
    rng = np.random.default_rng([seed, 77])
    texts = []
    for _ in range(count):
        scene = world.sample_scene(rng, split)
        asked = world.sample_treatments(rng, scene, 1 + int(rng.random() < 0.2)) if rng.random() < WISHES else []
        texts.append(world.asking(world.plain_caption(scene, rng), asked))
    return texts


def judges(folder: Path, cell: Cell, seeds: list[int], place: torch.device) -> list[Any]:
    """The rewards of a cell as merged CLIPModels, frozen."""
    return [rewards.load(folder, f"{cell.id}-s{seed}", place) for seed in seeds]


def _draft(
    folder: Path, sizes: models.Sizes, arm: Arm, parts: dict[str, Any], attached: dict[str, lowrank.LowRank],
    place: torch.device, until: float,
) -> list[dict[str, float]]:  # fmt: skip
    trained_on = [arm.seed, (arm.seed + 1) % 3] if arm.ensemble else [arm.seed]
    ensemble = judges(folder, arm.cell, trained_on, place)
    referee = judges(folder, arm.cell, [(arm.seed + 2) % 3], place)
    optimizer = torch.optim.AdamW(lowrank.weights(attached), lr=arm.rate, betas=(0.9, 0.99), weight_decay=0.0)
    texts = prompts(4000, arm.seed)
    check = prompts(48 if place.type == "cuda" else 2, 1000, "validation") if arm.stop else []
    rng = np.random.default_rng(arm.seed)
    with torch.no_grad(), half(place):
        empty = generator.read(parts, [""], place)
    history: list[dict[str, float]] = []
    best, best_weights, worse = -2.0, [weight.detach().clone() for weight in lowrank.weights(attached)], 0
    for step in range(arm.steps):
        if time.monotonic() > until or worse >= 3:
            break
        for group in optimizer.param_groups:
            group["lr"] = arm.rate * min(1, (step + 1) / 10)
        chosen = [texts[at] for at in rng.integers(len(texts), size=arm.batch)]
        tokens = generator.tokens_of(chosen, place)
        seeds = rng.integers(1 << 30, size=arm.batch).tolist()
        loss, value, distance = _draft_loss(parts, attached, ensemble, tokens, empty, seeds, sizes, arm, place)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(lowrank.weights(attached), 1.0)
        optimizer.step()
        if step % 10 == 9 or step == arm.steps - 1:
            row = {"step": step + 1, "reward": float(value), "distance": float(distance)}
            if arm.stop:
                row["referee"] = _referee(parts, referee, check, empty, sizes, place)
                worse = worse + 1 if row["referee"] < best else 0
                if row["referee"] > best:
                    best, best_weights = row["referee"], [w.detach().clone() for w in lowrank.weights(attached)]
            history.append(row)
            print(f"[{arm.name}] {row}", flush=True)
    if arm.stop:
        for weight, kept in zip(lowrank.weights(attached), best_weights, strict=True):
            weight.data.copy_(kept)
    return history


def _draft_loss(
    parts: dict[str, Any], attached: dict[str, lowrank.LowRank], ensemble: list[Any], tokens: Tensor, empty: Text,
    seeds: list[int], sizes: models.Sizes, arm: Arm, place: torch.device,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Loss, reward and squared distance to the base velocity for one batch.

    The sampler runs to a random step; there the picture is predicted with gradient and rewarded.
    """
    model = parts["transformer"]
    start = flow.noise(seeds, sizes.latent_channels, sizes.latent).to(place)
    levels = flow.sigmas(flow.STEPS)
    with half(place):
        with torch.no_grad():
            text = flow.read(parts["t5"], parts["reader"], tokens)
            packed = start
            reached = FIRST_STEP + seeds[0] % (flow.STEPS - FIRST_STEP)
            for number in range(reached):
                speed = flow.guided(model, packed, levels[number], text, empty, flow.GUIDANCE)
                packed = packed + (levels[number + 1] - levels[number]) * speed
            lowrank.set_scale(attached, 0.0)
            plain = flow.guided(model, packed, levels[reached], text, empty, flow.GUIDANCE)
            lowrank.set_scale(attached, 1.0)
        speed = flow.guided(model, packed, levels[reached], text, empty, flow.GUIDANCE)
        distance = (speed.float() - plain.float()).square().mean()
        packed = packed - levels[reached] * speed
        pictures = flow.decode(parts["vae"], packed).float()
    value = torch.stack(
        [rewards.reward(model_, _view(pictures) if arm.views else pictures, tokens) for model_ in ensemble]
    )
    return -10 * value.mean() + 10 * arm.leash * distance, value.mean().detach(), distance.detach()


def _view(pictures: Tensor) -> Tensor:
    """A random crop, scale and shift, a little noise: what pleases must please in all of them."""
    size = pictures.shape[-1]
    edge = int(size * (0.85 + 0.15 * float(torch.rand(()))))
    y, x = torch.randint(0, size - edge + 1, (2,)).tolist()
    crop = pictures[:, :, y : y + edge, x : x + edge]
    crop = F.interpolate(crop, size=(size, size), mode="bilinear", antialias=True) if edge < size else crop
    return shifted(crop) + 0.02 * torch.randn_like(crop)


def _referee(
    parts: dict[str, Any], referee: list[Any], texts: list[str], empty: Text, sizes: models.Sizes, place: torch.device
) -> float:
    """Mean reward, by a model that gives no gradient, of fixed prompts with fixed noise."""
    tokens = generator.tokens_of(texts, place)
    with torch.no_grad(), half(place):
        text = flow.read(parts["t5"], parts["reader"], tokens)
        start = flow.noise(list(range(len(texts))), sizes.latent_channels, sizes.latent).to(place)
        pictures = flow.decode(parts["vae"], flow.sample(parts["transformer"], start, text, empty))
        return float(rewards.reward(referee[0], pictures.float().clamp(-1, 1), tokens).mean())


def _dpo(
    folder: Path, sizes: models.Sizes, arm: Arm, parts: dict[str, Any], attached: dict[str, lowrank.LowRank],
    place: torch.device, until: float,
) -> list[dict[str, float]]:  # fmt: skip
    """-log sigmoid(-beta/2 (gain of the loser's error over the base - gain of the winner's)), one noise for both."""
    pictures = Pictures(folder / "data", "preference", place).complete()
    standing = pictures.arrays["standing"][: pictures.have]
    good, bad = rewards.labelled(standing, arm.cell)
    wish = standing.reshape(-1, datasets.GROUP, 3)[:, :, 1].max(1) > 0
    asked = wish[good // datasets.GROUP]
    chance = np.where(asked, WISHES / max(1, asked.sum()), (1 - WISHES) / max(1, (~asked).sum()))
    chance /= chance.sum()
    optimizer = torch.optim.AdamW(lowrank.weights(attached), lr=arm.rate, betas=(0.9, 0.99), weight_decay=0.0)
    rng = np.random.default_rng(arm.seed)
    history: list[dict[str, float]] = []
    right = torch.zeros((), device=place)
    for step in range(arm.steps):
        if time.monotonic() > until:
            break
        for group in optimizer.param_groups:
            group["lr"] = arm.rate * min(1, (step + 1) / 20)
        at = rng.choice(len(good), size=arm.batch, p=chance)
        both = torch.from_numpy(np.concatenate([good[at], bad[at]])).to(place)
        level = torch.sigmoid(torch.randn(arm.batch, device=place) + 0.2).repeat(2)
        with torch.no_grad(), half(place):
            packed = flow.encode(parts["vae"], as_float(pictures.image[both])).float()
            text = flow.read(parts["t5"], parts["reader"], pictures.tokens[both[: arm.batch], 0])
            text = Text(text.states.repeat(2, 1, 1), text.pooled.repeat(2, 1))
        noise = torch.randn_like(packed[: arm.batch]).repeat(2, 1, 1)
        mixed = packed + level[:, None, None] * (noise - packed)
        errors = []
        for scale in (0.0, 1.0):
            lowrank.set_scale(attached, scale)
            with torch.set_grad_enabled(scale > 0), half(place):
                answer = flow.velocity(parts["transformer"], mixed, level, text)
            errors.append((answer.float() - (noise - packed)).square().mean((1, 2)))
        gain = errors[0] - errors[1]
        margin = gain[: arm.batch] - gain[arm.batch :]
        loss = -F.logsigmoid(arm.beta / 2 * margin).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(lowrank.weights(attached), 1.0)
        optimizer.step()
        right += (margin > 0).float().mean() / 25
        if step % 25 == 24:
            row = {
                "step": step + 1,
                "loss": float(loss),
                "right": float(right),
                "winner": float(gain[: arm.batch].mean()),
            }
            history.append(row)
            right.zero_()
            print(f"[{arm.name}] {row}", flush=True)
    return history
