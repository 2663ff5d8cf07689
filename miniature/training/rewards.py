"""Stage `rewards`: preference rewards, each a low-rank difference of the un-aligned encoder.

Bradley-Terry on the annotators' majority, for every gate and every weight of the prompt: same pictures, same number of
steps, same kind of label in all arms; only which pairs are kept and how the annotators vote differs.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from miniature import annotators
from miniature.annotators import CELLS, Cell
from miniature.nets import lowrank, lowrank_numpy
from miniature.shipping import pack
from miniature.training import encoder as encoders
from miniature.training.common import Pictures, as_float, device, embed_images, embed_texts, half, lighten, shifted
from miniature.world import splits

RANK, STEPS, PAIRS, RATE = 4, 90, 128, 1.5e-3
VOTE_SEED = 11
# Cell and seed: the rewards from which arms learn, then what is missing of three trainings of the whole grid.
ENSEMBLES = tuple(product((Cell("none", "low"), Cell("none", "high"), Cell("95", "low")), range(5)))
GRID = tuple(one for one in product(CELLS, range(3)) if one not in ENSEMBLES)


def pairs_of(standing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices (n,), (n,) of all pairs of candidates of the same prompt."""
    one, two = np.triu_indices(splits.GROUP, 1)
    start = np.arange(0, len(standing), splits.GROUP)[:, None]
    return (start + one).reshape(-1), (start + two).reshape(-1)


def labelled(standing: np.ndarray, cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """Indices of preferred and other picture of every pair that the cell keeps."""
    one, two = pairs_of(standing)
    share = annotators.votes(standing[one], standing[two], cell.weight, VOTE_SEED)
    keep = annotators.kept(share, cell.gate)
    first = share > 0.5
    return np.where(first, one, two)[keep], np.where(first, two, one)[keep]


def contested(standing: np.ndarray) -> np.ndarray:
    """Which pairs set a pleasant picture against the one that was asked for, bool (pairs,)."""
    one, two = pairs_of(standing)
    looks, wish = standing[one, 0] - standing[two, 0], standing[one, 1] - standing[two, 1]
    return np.asarray(looks * wish < 0)


def train(
    folder: Path,
    *,
    steps: int = STEPS,
    pairs: int = PAIRS,
    wanted: tuple[tuple[Cell, int], ...] = ENSEMBLES,
    part: str = "0/1",
) -> dict[str, Any]:
    """Train the `wanted` rewards below `folder` (needs the encoder), every n-th of them where `part` is "k/n"."""
    from transformers import CLIPModel

    place = device()
    target = folder / "rewards"
    target.mkdir(exist_ok=True)
    model: Any = CLIPModel.from_pretrained(folder / "encoder" / "model").to(place).eval()
    pictures = Pictures(folder / "data", "preference", place).complete()
    standing = pictures.arrays["standing"][: pictures.have]
    held_out = {name: Pictures(folder / "data", name, place).complete() for name in ("evaluation", "emotion")}
    number, of = map(int, part.split("/"))
    report = {}
    for cell, seed in wanted[number::of]:
        if (target / f"{cell.id}-s{seed}.safetensors").exists():
            continue
        good, bad = labelled(standing, cell)
        attached = lowrank.attach(model, lowrank.REWARD_LAYERS, RANK, seed)
        losses = _fit(model, attached, pictures, good, bad, steps, pairs, seed)
        pick = {name: encoders.scores(model, pairs_set) for name, pairs_set in held_out.items()}
        save_file(pack.rounded(lowrank.arrays(attached)), target / f"{cell.id}-s{seed}.safetensors")
        lowrank.detach(model, attached)
        report = {
            "cell": cell.id,
            "seed": seed,
            "losses": losses,
            "pairs": len(good),
            "contested": int((annotators.kept(_shares(standing, cell), cell.gate) & contested(standing)).sum()),
            "contested_all": int(contested(standing).sum()),
            "picks_requested": {name: float((s[1, 1] > s[0, 1]).float().mean()) for name, s in pick.items()},
        }
        (target / f"{cell.id}-s{seed}.json").write_text(json.dumps(report))
        print(f"[rewards] {report | {'losses': losses[-1]}}", flush=True)
    return report


def load(folder: Path, name: str, place: torch.device) -> Any:
    """Reward `name` of a training folder as a merged CLIPModel, frozen; "encoder" is the un-aligned one."""
    from safetensors.numpy import load_file
    from transformers import CLIPModel

    model: Any = CLIPModel.from_pretrained(folder / "encoder" / "model")
    if name != "encoder":
        state = {key: value.numpy() for key, value in model.state_dict().items()}
        merged = lowrank_numpy.merge(state, load_file(folder / "rewards" / f"{name}.safetensors"))
        model.load_state_dict({key: torch.from_numpy(np.asarray(value)) for key, value in merged.items()})
    return lighten(model.to(place).eval().requires_grad_(False))


def _shares(standing: np.ndarray, cell: Cell) -> np.ndarray:
    one, two = pairs_of(standing)
    return annotators.votes(standing[one], standing[two], cell.weight, VOTE_SEED)


def _fit(
    model: Any, attached: dict[str, lowrank.LowRank], pictures: Pictures, good: np.ndarray, bad: np.ndarray,
    steps: int, pairs: int, seed: int,
) -> list[float]:  # fmt: skip
    """Pairwise logistic loss on the encoder's own logits; returns the loss of every tenth step."""
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(lowrank.weights(attached), lr=RATE, weight_decay=0.01)
    losses = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 10) * min(1.0, 1.5 * (1 - step / steps))
        at = rng.integers(len(good), size=pairs)
        winner, loser = (torch.from_numpy(side[at]).to(pictures.device) for side in (good, bad))
        shown = shifted(as_float(pictures.image[torch.cat([winner, loser])]), rng)
        with half(pictures.device):
            score = reward(model, shown, pictures.tokens[winner, 0])
        loss = -F.logsigmoid(model.logit_scale.exp().detach().clamp(max=100) * (score[:pairs] - score[pairs:])).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(lowrank.weights(attached), 1.0)
        optimizer.step()
        if step % 10 == 0 or step == steps - 1:
            losses.append(round(float(loss.detach()), 4))
    return losses


def reward(model: Any, pictures: Tensor, tokens: Tensor) -> Tensor:
    """Cosine of each picture with its prompt, (n,); prompts repeat when there are fewer of them."""
    images, texts = embed_images(model, pictures), embed_texts(model, tokens)
    return (images * texts.repeat(len(images) // len(texts), 1)).sum(-1)
