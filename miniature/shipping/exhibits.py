"""The pictures of the page: the series, the grid and the pairs, drawn or rendered, scored and judged.

Lossless originals stay in runs/miniature/drawn (ignored by git); results/ gets WebP renditions and the SHA-256 of the
PNG that the recipe makes on the machine and with the thread count that the run names. The ways back, which need the
evidence engine, are read from the samples of its run.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ledger.schema import Document, Exhibit, Picture, Recipe, Source, Value
from miniature.figures.core import CPU
from miniature.shipping import draw, pack
from miniature.shipping.critics import Critics
from miniature.shipping.draw import FAMILIES, FAMILY_NAMES, PictureRequest
from miniature.world import captions, painting, scenes
from miniature.world.scenes import Asked, Scene, Subject

CREDIT = "Drawn by the miniature; subjects after Microsoft's Fluent emoji"
RENDERED = "Rendered by a program; subjects after Microsoft's Fluent emoji"
LICENCE = "MIT (icons), CC BY 4.0 (pictures)"
SEED = 7
STRENGTHS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)  # above 1: over-optimised
SETS = ("knob", "wall", "own-emotions", "own-pairs", "own-attractor", "own-ways-back")

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
ATTRACTED = (1, 2, 3, 5, 10, 14, 18, 24)  # prompts of the knob shown base, aligned and over-optimised on purpose
BACK = (2, 7, 17)  # prompts of the knob shown under the ways back
EMOTIONS = (
    ("face", "angry", "meadow", "day"),
    ("face", "crying", "city", "night"),
    ("penguin", "sad", "beach", "sunset"),
)
PAIRS = (
    ("castle", "desert", "sunset", "decay_and_degradation"),
    ("fox", "meadow", "day", "muted_faded"),
    ("pizza", "room", "day", "sickly_cast"),
    ("sailboat", "beach", "sunset", "digital_artifacts"),
    ("robot", "city", "night", "analog_degradation"),
    ("owl", "forest", "night", "light_leak"),
)


@dataclass(frozen=True)
class PlannedPicture:
    """A picture to be published: how it is made, under which prompt it is scored, and its place in a series."""

    id: str
    label: str
    prompt: str
    original: Path
    recipe: Recipe
    axes: dict[str, str | float]
    shows: str = ""  # what is in it, where that is not the prompt


@dataclass(frozen=True)
class Publisher:
    """Publishes pictures below `root`: rendition, scores, verdicts, recipe."""

    root: Path
    critics: Critics

    def picture(self, planned: PlannedPicture) -> Picture:
        image = Image.open(planned.original).convert("RGB")
        file, digest = published(image, self.root)
        seen = self.critics.verdicts(image, planned.shows or planned.prompt)
        scored = self.critics.scores(image, planned.prompt)
        named = {"reward": "Reward of", "encoder": "Encoder on"}
        return Picture(
            id=planned.id,
            label=planned.label,
            alt=f"{planned.shows or planned.prompt}; {planned.label}"
            + (f". The judge sees: {', '.join(seen)}" if seen else ""),
            file=file,
            sha256=digest,
            original_sha256=hashlib.sha256(planned.original.read_bytes()).hexdigest(),
            width=image.width,
            height=image.height,
            prompt=planned.prompt,
            scores={
                name: _cosine(f"{said} '{planned.prompt}', {planned.label}", scored[name])
                for name, said in named.items()
            },
            axes=planned.axes,
            verdicts=seen,
            recipe=planned.recipe,
        )

    def exhibit(self, title: str, caption: str, chosen: list[PlannedPicture], **more: Any) -> Exhibit:
        told = {"kind": "series", "credit": CREDIT, "licence": LICENCE, "tags": tags(title)} | more
        return Exhibit(title=title, caption=caption, pictures=[self.picture(planned) for planned in chosen], **told)

    @property
    def drawn(self) -> Path:
        return self.root / "runs" / "miniature" / "drawn"


def _cosine(label: str, value: float) -> Value:
    return Value(label=label, value=value, unit="cosine", digits=3, source=Source(kind="measured", where=CPU), n=1)


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


def tags(prompt: str) -> list[str]:
    """Sub-categories that the prompt asks for."""
    found = [name for name, phrases in scenes.phrases().items() if any(phrase in prompt for phrase in phrases)]
    feels = any(emotion in prompt.split(",")[0].split() for emotion in scenes.NEGATIVE)
    return found + (["negative_personal_emotion"] if feels else [])


# --- drawn by the stock pipeline --------------------------------------------------------------------------------------

Draw = Callable[[PictureRequest], Path]


def drawer(folder: Path) -> Draw:
    """Draws what is missing below `folder`; the pipeline is loaded when the first picture is."""
    pipelines: list[draw.MiniaturePipeline] = []

    def path(request: PictureRequest) -> Path:
        told = json.dumps([request.prompt, round(request.alignment, 3), request.seed, request.arm, request.negative])
        target = folder / f"{hashlib.sha256(told.encode()).hexdigest()[:16]}.png"
        if not target.exists():
            pipelines.extend([] if pipelines else [draw.MiniaturePipeline()])
            target.parent.mkdir(parents=True, exist_ok=True)
            pipelines[0].draw(request).save(target.with_suffix(".part"), format="PNG")
            target.with_suffix(".part").rename(target)
        return target

    return path


def from_request(request: PictureRequest, original: Path, name: str, family: str) -> PlannedPicture:
    beyond = ", over-optimised" if request.alignment > 1 else ""
    label = f"{name}, alignment {request.alignment:g}{beyond}"
    axes: dict[str, str | float] = {"arm": family, "alignment": request.alignment}
    feelings = [feeling for feeling in scenes.EMOTIONS if feeling in request.prompt.split()]
    return PlannedPicture(
        id=f"{family}-s{request.alignment:.2f}",
        label=label,
        prompt=request.prompt,
        original=original,
        recipe=Recipe(
            model="local-dir:.cache/miniature/pipeline",
            revision=pack.digest(),
            adapter="flux",
            seed=request.seed,
            steps=draw.STEPS,
            guidance=0.0,
            settings={
                "true_cfg_scale": draw.GUIDANCE,
                "lora": request.arm if request.alignment else None,
                "lora_scale": request.alignment,
            },
            dtype="float32",
            device="cpu, one thread",
            command=request.command(),
        ),
        axes=axes | ({"emotion": feelings[0]} if feelings else {}),
    )


def _at(made: Draw, prompt: str, strength: float, family: str = "draft") -> PlannedPicture:
    request = PictureRequest(prompt, strength, SEED, FAMILIES[family] if strength else FAMILIES["draft"])
    return from_request(request, made(request), FAMILY_NAMES[family] if strength else "base model", family)


def knob(publisher: Publisher, made: Draw) -> Iterator[tuple[str, Exhibit]]:
    """A series for every prompt."""
    for number, prompt in enumerate(KNOB):
        said = "the same words and noise, seven strengths of alignment; above 1 it is over-optimised."
        chosen = [_at(made, prompt, strength) for strength in STRENGTHS]
        yield f"knob-{number:02d}", publisher.exhibit(prompt, f"'{prompt}': {said}", chosen, sets=["knob"])


def wall(publisher: Publisher, made: Draw) -> Iterator[tuple[str, Exhibit]]:
    """A sample of 100 pictures with the judge's verdicts: each prompt of the knob at 0, 1 and 3, and aligned to the
    pluralist reward."""
    places = [(number, prompt, place) for number, prompt in enumerate(KNOB) for place in WALL]
    for number, prompt, (strength, family) in places[:100]:
        planned = _at(made, prompt, strength, family)
        axes = planned.axes | {"arm": family if strength else "base"}
        picture = publisher.picture(planned).model_copy(update={"axes": axes})
        told = {"kind": "sample", "credit": CREDIT, "licence": LICENCE, "tags": tags(prompt), "sets": ["wall"]}
        caption = f"{planned.label[:1].upper()}{planned.label[1:]}."
        yield (
            f"wall-{number:02d}-{family}-{strength:.2f}",
            Exhibit(title=prompt, caption=caption, pictures=[picture], **told),  # type: ignore[arg-type]
        )


WALL = ((0.0, "draft"), (1.0, "draft"), (3.0, "draft"), (1.0, "pluralist"))


def attractor(publisher: Publisher, made: Draw) -> Iterator[tuple[str, Exhibit]]:
    """Prompts beside each other: base, aligned, and tuned without restraint, where all of them look alike."""
    for number in ATTRACTED:
        prompt = KNOB[number]
        without = PictureRequest(prompt, 1.0, SEED, "hacked")
        last = from_request(without, made(without), "over-optimised on purpose", "hacked")
        said = f"'{prompt}': base, aligned, and tuned to the reward without restraint, from the same noise."
        chosen = [_at(made, prompt, 0.0), _at(made, prompt, 1.0), last]
        yield f"own-attractor-{number:02d}", publisher.exhibit(prompt, said, chosen, sets=["own-attractor"])


# --- rendered by the program ------------------------------------------------------------------------------------------


def rendered(
    publisher: Publisher, identity: str, label: str, scene: Scene, asked: tuple[Asked, ...], prompt: str
) -> PlannedPicture:
    """A picture of the world itself, scored under `prompt`, which need not be its own."""
    target = publisher.drawn / f"{identity}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(painting.render(scene, asked, SEED))).save(target)
    shows = captions.asking(captions.plain_caption(scene, np.random.default_rng(0)), asked)
    told = {"scene": shows} | {ask.treatment: round(ask.severity, 3) for ask in asked}
    recipe = Recipe(
        model="miniature.world.painting",
        revision="this repository",
        seed=SEED,
        settings=dict(told),
        device="cpu",
        command=f"python build.py miniature exhibits --set {identity.rsplit('-', 2)[0]}",
    )
    return PlannedPicture(identity.rsplit("-", 1)[1], label, prompt, target, recipe, {}, shows)


def emotions(publisher: Publisher, made: Draw) -> Iterator[tuple[str, Exhibit]]:
    """A happy and a negative face under the words that name the negative one."""
    for number, (name, emotion, background, time) in enumerate(EMOTIONS):
        scene, happy = (Scene((Subject(name, feeling),), background, time) for feeling in (emotion, "happy"))
        prompt = captions.plain_caption(scene, np.random.default_rng(0))
        key = f"own-emotions-{number}"
        chosen = [
            rendered(publisher, f"{key}-named", f"{emotion}, as the words say", scene, (), prompt),
            rendered(publisher, f"{key}-happy", "happy", happy, (), prompt),
        ]
        said = f"Both pictures scored under '{prompt}'. Rendered, so that each shows exactly its feeling."
        yield key, publisher.exhibit(prompt, said, chosen, kind="pair", credit=RENDERED, sets=["own-emotions"])


def pairs(publisher: Publisher, made: Draw) -> Iterator[tuple[str, Exhibit]]:
    """A clean picture and the one that was asked for, both under the request."""
    for number, (name, background, time, treatment) in enumerate(PAIRS):
        scene = Scene((Subject(name),), background, time)
        asked = (scenes.ask(np.random.default_rng(number), treatment),)
        prompt = captions.asking(captions.plain_caption(scene, np.random.default_rng(0)), asked)
        key = f"own-pairs-{number}"
        chosen = [
            rendered(publisher, f"{key}-clean", "clean", scene, (), prompt),
            rendered(publisher, f"{key}-asked", "as asked for", scene, asked, prompt),
        ]
        said = f"Both pictures scored under '{prompt}'."
        yield key, publisher.exhibit(prompt, said, chosen, kind="pair", credit=RENDERED, sets=["own-pairs"])


# --- steered by the evidence engine -----------------------------------------------------------------------------------

ENGINE_RUN = "own-ways-back"
PROMPTS = "results/miniature/prompts/ways-back.jsonl"
STEERED = {  # method of the engine: label on the page
    "negative": "negative prompt",
    "vsf": "VSF, scale 1, no guidance",
    "nag": "NAG, scale 4, no guidance",
    "pluralist": "aligned to the pluralist reward, alignment 1",
}


def ways_back(publisher: Publisher, made: Draw) -> Iterator[tuple[str, Exhibit]]:
    """The over-optimised model, and what was tried to bring the request back, from the samples of the engine's run."""
    paths = sorted((publisher.root / "runs" / ENGINE_RUN).glob("samples/*/*.png"))
    samples = {path: json.loads(path.with_suffix(".json").read_text()) for path in paths}
    for number in BACK:
        prompt = KNOB[number]
        found = {method(one): (path, one) for path, one in samples.items() if one["identity"]["prompt"] == prompt}
        beyond = PictureRequest(prompt, 2.0, SEED, "unleashed-s0")
        chosen = [_at(made, prompt, 0.0), from_request(beyond, made(beyond), "first training", "unleashed")]
        chosen += [_steered(*found[name], name, label) for name, label in STEERED.items() if name in found]
        said = f"'{prompt}': base, over-optimised, and four ways back; the steered ones have the engine's seed."
        yield f"own-ways-back-{number:02d}", publisher.exhibit(prompt, said, chosen, sets=["own-ways-back"])


def method(sample: dict[str, Any]) -> str:
    """Which way back a sample of the engine shows."""
    identity = sample["identity"]
    steered = str(identity["settings"]["method"])
    if "pluralist" in identity["lora"] or steered != "none":
        return steered if steered != "none" else "pluralist"
    return "negative" if identity["negative"] else ""


def _steered(path: Path, sample: dict[str, Any], name: str, label: str) -> PlannedPicture:
    identity, row = sample["identity"], sample["made"]["model"]
    recipe = Recipe(
        model="local-dir:.cache/miniature/pipeline",
        revision=pack.digest(),
        adapter="flux",
        seed=identity["seed"],
        steps=draw.STEPS,
        settings={"row": row, "negative": identity["negative"], "lora_scale": identity["lora_scale"]},
        dtype=identity["settings"]["dtype"],
        device="cpu",
        command=f"python build.py evidence --run {ENGINE_RUN} --prompt-set {PROMPTS} --models {row}",
    )
    return PlannedPicture(name, label, identity["prompt"], path, recipe, {"arm": name})


MAKERS = dict(zip(SETS, (knob, wall, emotions, pairs, attractor, ways_back), strict=True))


def write(root: Path, sets: tuple[str, ...] = ()) -> str:
    """Draw what is missing, score and judge it, and renew the chosen sets in results/miniature.json; all when empty."""
    target = root / "results" / "miniature.json"
    publisher = Publisher(root, Critics(pack.unpack()))
    made = drawer(publisher.drawn)
    fresh = {name: exhibit for chosen in sets or SETS for name, exhibit in MAKERS[chosen](publisher, made)}
    before = Document.model_validate_json(target.read_text()) if target.exists() else Document()
    kept = {name: one for name, one in before.exhibits.items() if not set(one.sets) & set(sets or SETS)}
    whole = before.model_copy(update={"exhibits": dict(sorted((kept | fresh).items()))})
    target.write_text(whole.model_dump_json(indent=1, exclude_defaults=True) + "\n")
    return f"{len(fresh)} exhibits"
