"""Commands of the miniature: `python build.py miniature ...` and `python build.py draw ...`.

Torch is imported inside the commands that need it.
"""

from __future__ import annotations

import math
from pathlib import Path

import click

from ledger.text import read_text

ROOT = Path(__file__).parent.parent
RUN = ROOT / "runs" / "miniature"
EXAMPLE = "a crying penguin on a beach at night, faded and washed out and grainy"


class Time(click.ParamType[float]):
    """A finite number above 0. (click's own ranges let "nan" pass.)"""

    name = "number"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(str(value))
        except ValueError:
            number = math.nan
        if not 0 < number < math.inf:
            self.fail(f"{value} is no number above 0", param, ctx)
        return number


TIME = Time()


@click.group()
def miniature() -> None:
    """Train, measure and pack the small models.

    \b
    Example:
      python build.py miniature train --minutes 25
    """


def _folder(command: click.decorators.FC) -> click.decorators.FC:
    kind = click.Path(path_type=Path, file_okay=False)
    return click.option(
        "--folder", type=kind, default=RUN, help="Folder of the training run.  [default: runs/miniature]"
    )(command)


@miniature.command()
@_folder
@click.option("--stage", "stages", multiple=True, help="Only this stage; may be given again.  [default: all]")
@click.option("--arm", "arms", multiple=True, help="Only this variant in the stage alignment.  [default: all]")
@click.option("--minutes", type=TIME, default=25.0, show_default=True, help="Time for everything on one H100.")
@click.option("--size", type=click.Choice(["full", "tiny"]), default="full", help="tiny tests that all stages run.")
@click.option("--processes", type=click.IntRange(1), default=14, show_default=True, help="Processes that render.")
@click.option(
    "--lease", type=TIME, default=None, help="Stop after so many minutes; the same command continues the run."
)
def train(
    folder: Path, stages: tuple[str, ...], arms: tuple[str, ...], minutes: float, size: str, processes: int,
    lease: float | None,
) -> None:  # fmt: skip
    """Train all stages, or chosen ones.

    An interrupted run continues where it stopped.

    Stages: render, autoencoder, encoder, generator, judge, thresholds, rewards, reward_grid, freeze, alignment,
    calibrate, measure, tiny_decoder.

    \b
    Example:
      python build.py miniature train --minutes 40 --lease 8.5
      python build.py miniature unpack --resume runs/miniature
      python build.py miniature train --stage alignment --arm draft-s0
    """
    from miniature.training import plan

    unknown = [stage for stage in stages if stage not in plan.STAGES]
    if unknown:
        from ledger.problems import did_you_mean

        raise click.BadParameter(f"no stage '{unknown[0]}'{did_you_mean(unknown[0], plan.STAGES)}")
    plan.run(folder, stages or plan.STAGES, size, minutes, processes, lease, arms)


@miniature.command()
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--count", type=click.IntRange(1, 400), default=48, show_default=True, help="Pictures on the sheet.")
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("world.png"))
def render(seed: int, count: int, out: Path) -> None:
    """Render scenes with their captions, as in the training data.

    \b
    Example:
      python build.py miniature render --seed 3 --count 12 -o world.png
    """
    import numpy as np
    from PIL import Image

    from miniature.world import painting, splits

    shots = list(splits.shots("main", 2 * seed, 2 * seed + count + count % 2, splits.Counts(10**6, 1)))[:count]
    columns = min(count, 8)
    sheet = Image.new("RGB", (columns * 256, -(-count // columns) * 256))
    for number, shot in enumerate(shots):
        picture = Image.fromarray(np.asarray(painting.render(shot.scene, shot.asked, shot.seed)))
        sheet.paste(picture, (number % columns * 256, number // columns * 256))
        click.echo(f"{number:3d}  {shot.captions[0]}")
    sheet.save(out)


@miniature.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("out"), show_default=True)
@click.option(
    "--wheels",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of wheels to install missing packages from.",
)
@click.option("--seconds", type=TIME, default=700.0, show_default=True, help="Time for everything.")
@click.option("--size", type=click.Choice(["full", "tiny"]), default="full", help="tiny tests that all steps run.")
@click.option("--processes", type=click.IntRange(1), default=14, show_default=True, help="Processes that render.")
@_folder
def job(folder: Path, out: Path, wheels: Path | None, seconds: float, size: str, processes: int) -> None:
    """Train rewards and variants, then measure, in one GPU run.

    Starts from the shipped weights; needs no network.

    \b
    Example:
      pip download -d wheels diffusers==0.42.1 transformers peft accelerate filelock ftfy
      python build.py miniature job --out out --wheels wheels --seconds 700
    """
    from miniature.training import job as training

    training.install(wheels)
    for path in training.run(folder, out, seconds, size, processes):
        click.echo(f"{path}  {path.stat().st_size / 1e6:.1f} MB")


@miniature.command()
def measure() -> None:
    """Compute results/miniature.json from the raw rows.

    Every number of the file follows from results/rows.

    \b
    Example:
      python build.py miniature measure
    """
    from miniature.figures import documents

    click.echo(documents.write(ROOT / "results"))


@miniature.command()
@click.option("--set", "sets", multiple=True, help="Only this set; may be given again.  [default: all]")
def exhibits(sets: tuple[str, ...]) -> None:
    """Draw the page's pictures with the shipped weights.

    They are written to results/pictures/miniature.

    \b
    Example:
      python build.py miniature exhibits --set own-pairs
    """
    from miniature.shipping import exhibits as made

    unknown = [name for name in sets if name not in made.SETS]
    if unknown:
        raise click.BadParameter(f"no set '{unknown[0]}': there are {', '.join(made.SETS)}")
    click.echo(made.write(ROOT, sets))


@miniature.command()
@_folder
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="[default: results/miniature]")
def pack(folder: Path, out: Path | None) -> None:
    """Pack a trained run for shipping: int8, under 40 MB.

    \b
    Example:
      python build.py miniature pack
    """
    from miniature.shipping import pack as packing

    size = packing.pack(folder, out or packing.SHIPPED)
    click.echo(f"{size / 1e6:.1f} MB, revision {packing.digest(out or packing.SHIPPED)[:12]}")


@miniature.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="[default: .cache/miniature]")
@click.option(
    "--resume",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write a training folder to continue from instead.",
)
def unpack(out: Path | None, resume: Path | None) -> None:
    """Restore the shipped weights as stock model folders.

    diffusers and transformers load them.

    \b
    Example:
      python build.py miniature unpack
    """
    from miniature.shipping import pack as packing

    if resume:
        packing.resume(resume)
        click.echo(resume)
    else:
        click.echo(packing.unpack(out or packing.CACHE))


@miniature.command()
def web() -> None:
    """Write the model files for drawing in browsers.

    They go to .cache/draw; `make web` also installs the runtime.

    \b
    Example:
      python build.py miniature web
    """
    from miniature.shipping import web as browser

    for provider, size in browser.write()["bytes"].items():
        click.echo(f"{browser.OUT}: {size / 1e6:.1f} MB with {provider}")


@miniature.command()
@click.argument("assets", type=click.Path(path_type=Path, exists=True, file_okay=False))
def sprites(assets: Path) -> None:
    """Make sprites.zip from the unpacked npm package.

    The package is @lobehub/fluent-emoji-3d 1.1.0; the file is miniature/world/sprites.zip.

    \b
    Example:
      npm pack @lobehub/fluent-emoji-3d@1.1.0 && tar xzf lobehub-fluent-emoji-3d-1.1.0.tgz
      python build.py miniature sprites package/assets
    """
    from miniature.world import sprites as cast

    cast.pack(assets)
    click.echo(cast.ARCHIVE)


@click.command()
@click.argument("prompt", required=False)
@click.option(
    "--prompts", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A file with one prompt a line."
)
@click.option("--count", type=click.IntRange(1, 1000), default=1, show_default=True, help="Pictures of each prompt.")
@click.option(
    "--alignment",
    type=float,
    default=0.0,
    show_default=True,
    help="Strength: 0 base, 1 aligned, above 1 over-optimised, at most 3.",
)
@click.option(
    "--family", default="draft", show_default=True, help="draft, pluralist, or the name of a shipped variant."
)
@click.option("--negative", default="", help="Negative prompt.")
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Seed of the first picture; each further picture has the next one.",
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), default=Path("out.png"), show_default=True,
    help="A PNG file; several pictures are numbered.",
)  # fmt: skip
def draw(
    prompt: str | None, prompts: Path | None, count: int, alignment: float, family: str, negative: str, seed: int,
    out: Path,
) -> None:  # fmt: skip
    """Draw pictures with the shipped miniature, on the CPU, without a network.

    \b
    Example:
      python build.py draw "a crying penguin on a beach at night, grainy" --alignment 0.5 --seed 7 -o out.png
      python build.py draw --prompts prompts.txt --count 4 -o sheet.png
    """
    from miniature.shipping import draw as drawing

    if prompt is not None and prompts is not None:
        raise click.UsageError("give a prompt or --prompts FILE, not both")
    lines = [EXAMPLE if prompt is None else prompt]
    if prompts:
        lines = read_text(prompts.absolute(), Path.cwd()).split("\n")  # not splitlines: a prompt may hold U+2028
    arm = drawing.FAMILIES.get(family, family)
    requests = [
        drawing.PictureRequest(line.strip(), alignment, seed + number, arm, negative)
        for line in lines
        if line.strip() or prompts is None
        for number in range(count)
    ]
    several = len(requests) > 1
    outs = [out.with_stem(f"{out.stem}-{number}") if several else out for number in range(1, len(requests) + 1)]
    for drawn in drawing.to_files(requests, outs, lambda seconds: click.echo(f"loaded in {seconds:.1f} s", err=True)):
        click.echo(f"{drawn.out}  {drawn.seconds:.1f} s  sha256 {drawn.sha256[:16]}")
