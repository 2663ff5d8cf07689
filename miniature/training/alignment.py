"""Stage `alignment`: low-rank differences of the generator that please the annotators, by two families of algorithm.

`draft` back-propagates a reward of the picture that a random step of the sampler predicts (the one-step form of direct
reward fine-tuning: DRaFT, ReFL), `dpo` fits the annotators' pairs without any reward (Diffusion-DPO, in the flow's
terms). Against reward hacking: an ensemble of rewards, several views of each picture, a leash on the squared distance
to the base model's velocity (its divergence), an anchor (the un-aligned encoder must still recognise the plain
prompts), low rank, a rate that falls to zero, and a reward that gives no gradient and chooses the step that is kept.

An arm trains a fixed number of steps. Everything random in a step is a function of (seed, step), so that a run which
was cut off continues from its checkpoint as if it had not been.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from miniature.annotators import Cell
from miniature.nets import flow, lowrank, shapes
from miniature.nets.flow import Text
from miniature.shipping import pack
from miniature.training import generator, rewards
from miniature.training.common import Pictures, as_float, device, normal, shifted
from miniature.world import captions, scenes, splits

FIRST_STEP = 2  # of the sampler's eight: earlier predictions are too vague to reward
WISHES = 0.4  # share of prompts that ask for a look, in both families
EVERY = 10  # steps between two entries of the history, each with an evaluation that gives no gradient
SAVE = 2  # steps between two checkpoints
REWARDS = 5  # trainings of each reward: the ensemble takes all but the one that referees
CHUNK = {"cuda": 12, "cpu": 6}  # pictures that pass through the models at once
CHECKED = {"cuda": 96, "cpu": 12}  # pictures of an evaluation by the held-out reward


@dataclass(frozen=True)
class Arm:
    """One aligned variant. `cell` names annotators and gate."""

    name: str
    family: str  # "draft" or "dpo"
    cell: Cell
    seed: int
    leash: float = 1.0  # weight of the squared distance to the base velocity
    anchor: float = 1.0  # weight of the encoder's agreement with plain prompts
    rate: float = 1.5e-3
    beta: float = 1500.0  # dpo only
    ensemble: bool = True
    views: bool = True
    referee: bool = True  # keep the step whose pictures the referee likes best, and not the last one
    rank: int = 4
    steps: int = 80
    batch: int = 24


MAIN, PLURALIST, GATED = Cell("none", "low"), Cell("none", "high"), Cell("95", "low")
LEASHES = {"draft": (0.3, 3.0), "leash1-anchor1": (1.0, 1.0), "leash1-anchor3": (1.0, 3.0)}  # weights of the two
SEEDS = range(3)
ARMS = (
    *(Arm(f"{name}-s{seed}", "draft", MAIN, seed, *weights) for name, weights in LEASHES.items() for seed in SEEDS),
    *(Arm(f"pluralist-s{seed}", "draft", PLURALIST, seed) for seed in SEEDS),
    *(Arm(f"dpo-s{seed}", "dpo", MAIN, seed, beta=500.0, steps=200, batch=48) for seed in SEEDS),
    Arm("hacked", "draft", MAIN, 0, 0.0, 0.0, rate=2e-3, ensemble=False, views=False, referee=False),
    *(Arm(f"gate95-s{seed}", "draft", GATED, seed) for seed in SEEDS),
)
TINY_ARMS = (
    Arm("draft-s0", "draft", MAIN, 0, steps=10, batch=4),
    Arm("dpo-s0", "dpo", MAIN, 0, beta=500.0, steps=10, batch=4),
)


class Method(Protocol):
    """How an arm learns: the gradient of one step, and what it achieves by a measure that gives no gradient."""

    def backward(self, step: int) -> dict[str, float]: ...

    def held_out(self) -> dict[str, float]: ...


@dataclass
class TrainingState:
    """How far an arm has come: what a checkpoint holds beside the factors and the optimizer."""

    step: int = 0
    best: float = -2.0
    history: list[dict[str, float]] | None = None
    kept: list[Tensor] | None = None


def train(folder: Path, sizes: shapes.Sizes, arm: Arm) -> dict[str, Any]:
    """Train one arm below `folder` (needs generator and rewards); leaves `alignment/{arm}.safetensors`."""
    target = folder / "alignment"
    target.mkdir(exist_ok=True)
    parts = generator.load(folder, device())
    attached = lowrank.attach(parts["transformer"], lowrank.FLUX_LAYERS, arm.rank, arm.seed)
    method: Method = (Draft if arm.family == "draft" else Dpo)(folder, sizes, arm, parts, attached)
    state = _run(arm, method, lowrank.weights(attached), target / f"{arm.name}.state.pt")
    if state.kept is not None:
        for weight, kept in zip(lowrank.weights(attached), state.kept, strict=True):
            weight.data.copy_(kept)
    save_file(pack.rounded(lowrank.arrays(attached)), target / f"{arm.name}.safetensors")
    report = asdict(arm) | {"trained": state.step, "history": state.history}
    (target / f"{arm.name}.json").write_text(json.dumps(report))
    (target / f"{arm.name}.state.pt").unlink(missing_ok=True)
    return report


def _run(arm: Arm, method: Method, weights: list[nn.Parameter], checkpoint: Path) -> TrainingState:
    optimizer = torch.optim.AdamW(weights, lr=arm.rate, betas=(0.9, 0.99), weight_decay=0.0)
    state = _restore(checkpoint, weights, optimizer)
    while state.step < arm.steps:
        for group in optimizer.param_groups:
            group["lr"] = arm.rate * min(1, (state.step + 1) / 10) * min(1.0, 1.5 * (1 - state.step / arm.steps))
        optimizer.zero_grad(set_to_none=True)
        row = {"step": float(state.step + 1)} | method.backward(state.step)
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        state.step += 1
        print(f"[{arm.name}] {row}", flush=True)
        if state.step % EVERY == 0 or state.step == arm.steps:
            _record(arm, state, row | (method.held_out() if arm.referee else {}), weights)
        if state.step % SAVE == 0:
            _save(checkpoint, state, weights, optimizer)
    return state


def _record(arm: Arm, state: TrainingState, row: dict[str, float], weights: list[nn.Parameter]) -> None:
    """Add to the history; keep the weights that please the referee most."""
    state.history = [*(state.history or []), row]
    print(f"[{arm.name}] {row}", flush=True)
    if "referee" not in row:
        return
    if row["referee"] > state.best:
        state.best, state.kept = row["referee"], [weight.detach().clone() for weight in weights]


def _save(path: Path, state: TrainingState, weights: list[nn.Parameter], optimizer: torch.optim.Optimizer) -> None:
    held = {"state": vars(state), "weights": [w.detach() for w in weights], "optimizer": optimizer.state_dict()}
    torch.save(held, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


def _restore(path: Path, weights: list[nn.Parameter], optimizer: torch.optim.Optimizer) -> TrainingState:
    if not path.exists():
        return TrainingState()
    held = torch.load(path, map_location=weights[0].device, weights_only=True)
    for weight, stored in zip(weights, held["weights"], strict=True):
        weight.data.copy_(stored)
    optimizer.load_state_dict(held["optimizer"])
    return TrainingState(**held["state"])


def prompts(count: int, seed: int, split: scenes.Split = "preference") -> tuple[list[str], list[bool]]:
    """Prompts of the preference split, two in five of them with a request for a look, and which of them are plain."""
    rng = np.random.default_rng([seed, 77])
    texts, plain = [], []
    for _ in range(count):
        scene = scenes.sample_scene(rng, split)
        asked = scenes.sample_treatments(rng, scene, 1 + int(rng.random() < 0.2)) if rng.random() < WISHES else []
        texts.append(captions.asking(captions.plain_caption(scene, rng), asked))
        plain.append(not asked)
    return texts, plain


def _half(place: torch.device) -> torch.autocast:
    """bfloat16, on the CPU too: an arm in 40 minutes of one core."""
    return torch.autocast(place.type, torch.bfloat16)


# --- reward back-propagation ------------------------------------------------------------------------------------------


class Draft:
    """The sampler runs to a random step; there the picture is predicted with gradient and rewarded."""

    def __init__(
        self, folder: Path, sizes: shapes.Sizes, arm: Arm, parts: dict[str, Any], attached: dict[str, lowrank.LowRank]
    ) -> None:
        self.arm, self.parts, self.attached, self.sizes, self.device = arm, parts, attached, sizes, device()
        self.chunk = CHUNK[self.device.type]
        turned = [f"{arm.cell.id}-s{(seed + arm.seed) % REWARDS}" for seed in range(REWARDS)]
        stored = [name for name in turned if (folder / "rewards" / f"{name}.safetensors").exists()]
        trained_on = (stored[:-1] or stored) if arm.ensemble else stored[:1]
        self.ensemble = [rewards.load(folder, name, self.device) for name in trained_on]
        self.referee = rewards.load(folder, stored[-1], self.device)
        self.encoder = rewards.load(folder, "encoder", self.device) if arm.anchor else None
        self.texts, self.plain = prompts(4000, arm.seed)
        self.check = prompts(CHECKED[self.device.type], 1000, "validation")[0]
        with torch.no_grad(), _half(self.device):
            self.empty = generator.read(parts, [""], self.device)

    def backward(self, step: int) -> dict[str, float]:
        rng = np.random.default_rng([self.arm.seed, step])
        chosen = rng.integers(len(self.texts), size=self.arm.batch)
        said = []
        for chunk in np.split(chosen, range(self.chunk, len(chosen), self.chunk)):
            loss, row = self._loss(chunk, rng)
            (loss * len(chunk) / len(chosen)).backward()  # type: ignore[no-untyped-call]
            said.append(row)
        return {name: float(np.mean([row[name] for row in said])) for name in said[0]}

    def _loss(self, chunk: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        tokens = generator.tokens_of([self.texts[at] for at in chunk], self.device)
        seeds = rng.integers(1 << 30, size=len(chunk)).tolist()
        start = flow.noise(seeds, self.sizes.latent_channels, self.sizes.latent)
        with _half(self.device):
            pictures, distance = self._predict(start.to(self.device), tokens, int(rng.integers(FIRST_STEP, flow.STEPS)))
            seen = _view(pictures, rng) if self.arm.views else pictures
            value = torch.stack([rewards.reward(model, seen, tokens) for model in self.ensemble]).mean()
            loss = -10 * value + 10 * self.arm.leash * distance
            row = {"reward": value.item(), "distance": distance.item()}
            plain = [at for at, number in enumerate(chunk) if self.plain[number]]
            if self.encoder is not None and plain:
                agreement = rewards.reward(self.encoder, seen[plain], tokens[plain])
                loss = loss - 10 * self.arm.anchor * agreement.sum() / len(chunk)
        return loss, row

    def _predict(self, packed: Tensor, tokens: Tensor, reached: int) -> tuple[Tensor, Tensor]:
        """The pictures that step `reached` predicts, and the squared distance of its velocity to the base's."""
        model, level = self.parts["transformer"], flow.sigmas(flow.STEPS)[reached]
        with torch.no_grad():
            text = flow.read(self.parts["t5"], self.parts["reader"], tokens)
            packed = flow.sample(model, packed, text, self.empty, reached)
            lowrank.set_scale(self.attached, 0.0)
            plain = flow.guided(model, packed, level, text, self.empty, flow.GUIDANCE)
            lowrank.set_scale(self.attached, 1.0)
        speed = flow.guided(model, packed, level, text, self.empty, flow.GUIDANCE)
        distance = (speed.float() - plain.float()).square().mean()
        return flow.decode(self.parts["vae"], packed - level * speed).float(), distance

    def held_out(self) -> dict[str, float]:
        """Mean reward, by a model that gives no gradient, of fixed prompts with fixed noise."""
        tokens = generator.tokens_of(self.check, self.device)
        start = flow.noise(range(len(self.check)), self.sizes.latent_channels, self.sizes.latent).to(self.device)
        values = []
        with torch.no_grad(), _half(self.device):
            for part in torch.split(torch.arange(len(self.check)), self.chunk):
                text = flow.read(self.parts["t5"], self.parts["reader"], tokens[part])
                packed = flow.sample(self.parts["transformer"], start[part], text, self.empty)
                pictures = flow.decode(self.parts["vae"], packed).float().clamp(-1, 1)
                values.append(rewards.reward(self.referee, pictures, tokens[part]))
        return {"referee": torch.cat(values).mean().item()}


def _view(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """A random crop, scale and shift, a little noise: what pleases must please in all of them."""
    size = pictures.shape[-1]
    edge = int(size * rng.uniform(0.85, 1))
    y, x = rng.integers(size - edge + 1, size=2).tolist()
    crop = pictures[:, :, y : y + edge, x : x + edge]
    crop = F.interpolate(crop, size=(size, size), mode="bilinear", antialias=True) if edge < size else crop
    return shifted(crop, rng) + 0.02 * normal(crop.shape, rng, crop.device)


# --- Diffusion-DPO ----------------------------------------------------------------------------------------------------


class Dpo:
    """-log sigmoid(-beta/2 (gain of the loser's error over the base - gain of the winner's)), one noise for both."""

    def __init__(
        self, folder: Path, sizes: shapes.Sizes, arm: Arm, parts: dict[str, Any], attached: dict[str, lowrank.LowRank]
    ) -> None:
        self.arm, self.parts, self.attached, self.device = arm, parts, attached, device()
        self.pictures = Pictures(folder / "data", "preference", self.device).complete()
        standing = self.pictures.arrays["standing"][: self.pictures.have]
        self.good, self.bad = rewards.labelled(standing, arm.cell)
        wish = standing.reshape(-1, splits.GROUP, 3)[:, :, 1].max(1) > 0
        asked = wish[self.good // splits.GROUP]
        chance = np.where(asked, WISHES / max(1, asked.sum()), (1 - WISHES) / max(1, (~asked).sum()))
        kept = np.arange(len(self.good)) % 10 != 9  # every tenth pair is held out
        self.chance = chance * kept / (chance * kept).sum()
        self.held = np.flatnonzero(~kept)[: 2 * arm.batch]

    def backward(self, step: int) -> dict[str, float]:
        rng = np.random.default_rng([self.arm.seed, step])
        loss, right = self._loss(rng.choice(len(self.good), size=self.arm.batch, p=self.chance), rng)
        loss.backward()  # type: ignore[no-untyped-call]
        return {"loss": loss.item(), "right": right}

    def held_out(self) -> dict[str, float]:
        """How often the winner of a pair that gives no gradient gained more on the base than the loser."""
        with torch.no_grad():
            _, right = self._loss(self.held, np.random.default_rng([self.arm.seed, 1 << 20]))
        return {"referee": right}

    def _loss(self, at: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, float]:
        count = len(at)
        both = torch.from_numpy(np.concatenate([self.good[at], self.bad[at]])).to(self.device)
        level = torch.sigmoid(normal((count,), rng, self.device) + 0.2).repeat(2)
        with torch.no_grad(), _half(self.device):
            packed = flow.encode(self.parts["vae"], as_float(self.pictures.image[both])).float()
            text = flow.read(self.parts["t5"], self.parts["reader"], self.pictures.tokens[both[:count], 0])
            text = Text(text.states.repeat(2, 1, 1), text.pooled.repeat(2, 1))
        noise = normal(packed[:count].shape, rng, self.device).repeat(2, 1, 1)
        mixed = packed + level[:, None, None] * (noise - packed)
        errors = []
        for scale in (0.0, 1.0):
            lowrank.set_scale(self.attached, scale)
            with torch.set_grad_enabled(scale > 0 and torch.is_grad_enabled()), _half(self.device):
                answer = flow.velocity(self.parts["transformer"], mixed, level, text)
            errors.append((answer.float() - (noise - packed)).square().mean((1, 2)))
        gain = errors[0] - errors[1]
        margin = gain[:count] - gain[count:]
        return -F.logsigmoid(self.arm.beta / 2 * margin).mean(), (margin > 0).float().mean().item()
