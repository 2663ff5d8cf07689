"""The knob and the wall: pictures drawn with the shipped weights, scored, judged and published small.

Lossless originals stay in runs/miniature/drawn (ignored by git); results/ gets WebP renditions and the SHA-256 of the
PNG that `draw` writes on the machine and with the thread count that the run names.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ledger.schema import Document, Exhibit, Picture, Recipe, Source, Value
from miniature.measurement import STRENGTHS
from miniature.report.rows import CPU
from miniature.shipping import draw, pack
from miniature.shipping.draw import FAMILIES, FAMILY_NAMES, Wish
from miniature.world import scenes, vocabulary

CREDIT = "Drawn by the miniature; subjects after Microsoft's Fluent emoji"
LICENCE = "MIT (icons), CC BY 4.0 (pictures)"
SEED = 7
REWARD = "gatenone-low-s0"

KNOB = (
    "a crying face in a meadow at noon, full of dread",
    "a lion in a forest by day, out of focus",
    "a penguin on a beach by day, faded and washed out",
    "a crying penguin on a beach at night, grainy",
    "a robot in a city at sunset, cracked and stained",
    "a castle in a desert at sunset, like a worn vhs tape",
    "an apple in a room by day, blocky and pixelated",
    "a butterfly in a meadow by day, in clashing colors",
    "a house in the snow at night, with a sickly tint",
    "a sailboat by the sea at sunset, with color banding",
    "a sunflower on green grass at noon, badly overexposed",
    "a taxi on a city street at night, severely underexposed",
    "a pumpkin in a forest in the evening, with a light leak",
    "an owl in a forest at night, hit by harsh flash",
    "an elephant in a meadow by day, oppressively gray",
    "a tractor in a meadow at noon, tilted",
    "a parrot in a forest by day, hidden behind bars",
    "a clock in a room at night, bleak atmosphere",
    "a cake in a room by day, rotting",
    "a teddy bear in a studio by day, as a raw sketch",
    "a flamingo on a beach at sunset, as a double exposure",
    "an angry ghost in a city at night, desaturated",
    "a scared snowman in the snow by day",
    "a sad face on a city street at noon",
    "a fox in a meadow by day",
    "a rocket in a desert at noon, sharp and clean",
)


@dataclass(frozen=True)
class Drawn:
    """A drawn picture: PNG bytes below `drawn/`, and where it stands in the series."""

    wish: Wish
    family: str

    @property
    def key(self) -> str:
        text = json.dumps([self.wish.prompt, round(self.wish.alignment, 3), self.wish.seed, self.wish.arm])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def series(prompt: str) -> list[Drawn]:
    """Seven strengths under both families; strength 0 is the same picture in both."""
    wishes = []
    for family, arm in FAMILIES.items():
        for strength in STRENGTHS:
            wishes.append(Drawn(Wish(prompt, strength, SEED, arm if strength else FAMILIES["draft"]), family))
    return wishes


def tags(prompt: str) -> list[str]:
    """Sub-categories that the prompt asks for."""
    found = [name for name, phrases in scenes.phrases().items() if any(phrase in prompt for phrase in phrases)]
    feels = any(emotion in prompt.split(",")[0].split() for emotion in scenes.NEGATIVE)
    return found + (["negative_personal_emotion"] if feels else [])


def draw_all(folder: Path, prompts: tuple[str, ...] = KNOB) -> None:
    """Draw what is missing below `folder`, prompt by prompt."""
    folder.mkdir(parents=True, exist_ok=True)
    pencil = draw.Pencil()
    for prompt in prompts:
        for drawn in series(prompt):
            path = folder / f"{drawn.key}.png"
            if not path.exists():
                pencil.draw(drawn.wish).save(path.with_suffix(".part"), format="PNG")
                path.with_suffix(".part").rename(path)


# --- scoring and publishing -------------------------------------------------------------------------------------------


class Critics:
    """Encoder, main reward and judge, from the unpacked weights."""

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import CLIPModel, ResNetForImageClassification

        torch.set_num_threads(1)
        self.names = {"encoder": folder / "encoder", "reward": folder / "rewards" / REWARD}
        self.models: dict[str, Any] = {
            name: CLIPModel.from_pretrained(path).eval() for name, path in self.names.items()
        }
        self.judge: Any = ResNetForImageClassification.from_pretrained(folder / "judge").eval()
        words_file = json.loads((folder / "pipeline" / "tokenizer" / "tokenizer.json").read_text())
        known = words_file["model"]["vocab"]
        self.known = sorted((word for word in known if known[word] >= len(vocabulary.SPECIAL)), key=known.__getitem__)
        self.labels = [self.judge.config.id2label[number] for number in range(self.judge.config.num_labels)]

    def scores(self, picture: Image.Image, prompt: str) -> dict[str, float]:
        """Cosine of picture and prompt, by scorer."""
        import torch

        from miniature.training.common import embed_images, embed_texts

        pixels, tokens = _pixels(picture), torch.from_numpy(vocabulary.encode([prompt], self.known).astype("int64"))
        with torch.no_grad():
            return {
                name: float((embed_images(model, pixels) * embed_texts(model, tokens)).sum())
                for name, model in self.models.items()
            }

    def verdicts(self, picture: Image.Image) -> list[str]:
        """What the judge sees: treatments, feelings and objects in words."""
        import torch

        with torch.no_grad():
            logits = self.judge(pixel_values=_pixels(picture)).logits[0]
        found = [label for label, logit in zip(self.labels, logits.tolist(), strict=True) if logit > 0]
        kinds = ("treatment", "emotion", "object")
        return [label.split(":")[1].replace("_", " ") for label in found if label.split(":")[0] in kinds]


def _pixels(picture: Image.Image) -> Any:
    import torch

    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1


def published(picture: Image.Image, root: Path, quality: int = 80) -> tuple[str, str]:
    """Write the WebP rendition, named by its bytes; file below results/pictures and its SHA-256."""
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=quality, method=6)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    file = f"miniature/{digest[:20]}.webp"
    path = root / "results" / "pictures" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    return file, digest


def entry(drawn: Drawn, critics: Critics, root: Path, revision: str, arm: str) -> Picture:
    """One picture of an exhibit: rendition, scores, verdicts, recipe."""
    original = root / "runs" / "miniature" / "drawn" / f"{drawn.key}.png"
    picture = Image.open(original).convert("RGB")
    file, digest = published(picture, root)
    wish = drawn.wish
    scored = critics.scores(picture, wish.prompt)
    name = f"{arm}, alignment {wish.alignment:g}"
    seen = critics.verdicts(picture)
    return Picture(
        id=f"{drawn.family}-s{wish.alignment:.2f}",
        label=name,
        alt=f"{wish.prompt}; {name}" + (f". The judge sees: {', '.join(seen)}" if seen else ""),
        file=file,
        sha256=digest,
        original_sha256=hashlib.sha256(original.read_bytes()).hexdigest(),
        width=picture.width,
        height=picture.height,
        prompt=wish.prompt,
        scores={
            "reward": _cosine(f"Reward of '{wish.prompt}', {name}", scored["reward"]),
            "encoder": _cosine(f"Encoder on '{wish.prompt}', {name}", scored["encoder"]),
        },
        axes=_axes(drawn),
        verdicts=seen,
        recipe=Recipe(
            model="local-dir:.cache/miniature/pipeline",
            revision=revision,
            adapter="flux",
            seed=wish.seed,
            steps=draw.STEPS,
            guidance=0.0,
            settings=_settings(wish),
            dtype="float32",
            device="cpu, one thread",
            command=wish.command(),
        ),
    )  # fmt: skip


def _cosine(label: str, value: float) -> Value:
    return Value(label=label, value=value, unit="cosine", digits=3, source=Source(kind="measured", where=CPU), n=1)


def _settings(wish: Wish) -> dict[str, str | int | float | bool | None]:
    lora = wish.arm if wish.alignment else None
    return {"true_cfg_scale": draw.GUIDANCE, "lora": lora, "lora_scale": wish.alignment}


def _axes(drawn: Drawn) -> dict[str, str | float]:
    axes: dict[str, str | float] = {"arm": drawn.family, "alignment": drawn.wish.alignment}
    feelings = [feeling for feeling in scenes.EMOTIONS if feeling in drawn.wish.prompt.split()]
    return axes | ({"emotion": feelings[0]} if feelings else {})


def knob(root: Path, critics: Critics, revision: str) -> dict[str, Exhibit]:
    """A series for every prompt whose pictures are all drawn."""
    found = {}
    for number, prompt in enumerate(KNOB):
        drawn = series(prompt)
        if not all((root / "runs" / "miniature" / "drawn" / f"{one.key}.png").exists() for one in drawn):
            continue
        found[f"knob-{number:02d}"] = Exhibit(
            title=prompt,
            kind="series",
            caption=f"'{prompt}': the same words and noise, seven strengths of alignment, two algorithms.",
            credit=CREDIT,
            licence=LICENCE,
            pictures=[entry(one, critics, root, revision, FAMILY_NAMES[one.family]) for one in drawn],
            tags=tags(prompt),
            sets=["knob"],
        )
    return found


def wall(root: Path, critics: Critics, revision: str) -> dict[str, Exhibit]:
    """A sample of 100 drawn pictures with the judge's verdicts: each prompt of the knob at 0, 1 and 1.5, DPO at 1.5."""
    found: dict[str, Exhibit] = {}
    chosen = [
        (number, one)
        for number, prompt in enumerate(KNOB)
        for one in series(prompt)
        if (one.family == "draft" and one.wish.alignment in (0.0, 1.0, 1.5))
        or (one.family == "dpo" and one.wish.alignment == 1.5)
    ]
    for number, one in chosen[:100]:
        if not (root / "runs" / "miniature" / "drawn" / f"{one.key}.png").exists():
            continue
        arm = FAMILY_NAMES[one.family] if one.wish.alignment else "base model"
        picture = entry(one, critics, root, revision, arm)
        axes = picture.axes | {"arm": one.family if one.wish.alignment else "base"}
        found[f"wall-{number:02d}-{one.family}-{one.wish.alignment:.2f}"] = Exhibit(
            title=one.wish.prompt,
            kind="sample",
            caption=f"{arm}, alignment {one.wish.alignment:g}.",
            credit=CREDIT,
            licence=LICENCE,
            pictures=[picture.model_copy(update={"axes": axes})],
            tags=tags(one.wish.prompt),
            sets=["wall"],
        )
    return found


def write(root: Path) -> str:
    """Draw what is missing, score and judge everything, and put both sets into results/miniature.json."""
    folder, target = pack.unpack(), root / "results" / "miniature.json"
    draw_all(root / "runs" / "miniature" / "drawn")
    critics, revision = Critics(folder), pack.digest()
    shown = knob(root, critics, revision) | wall(root, critics, revision)
    before = Document.model_validate_json(target.read_text()) if target.exists() else Document()
    target.write_text(
        before.model_copy(update={"exhibits": shown}).model_dump_json(indent=1, exclude_defaults=True) + "\n"
    )
    return f"{len(shown)} exhibits"
