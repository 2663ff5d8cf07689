"""Commands of the miniature: `python build.py miniature ...` and `python build.py draw ...`.

Torch is imported inside the commands that need it.
"""

from __future__ import annotations

from pathlib import Path

import click

ROOT = Path(__file__).parent.parent
RUN = ROOT / "runs" / "miniature"
EXAMPLE = "a crying penguin on a beach at night, faded and washed out and grainy"


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
@click.option("--minutes", type=float, default=25.0, show_default=True, help="Time for everything on one H100.")
@click.option("--size", type=click.Choice(["full", "tiny"]), default="full", help="tiny proves that all stages run.")
@click.option("--processes", type=click.IntRange(1), default=14, show_default=True, help="Renderers side by side.")
@click.option("--lease", type=float, default=None, help="Stop after so many minutes; the same command then goes on.")
def train(
    folder: Path, stages: tuple[str, ...], minutes: float, size: str, processes: int, lease: float | None
) -> None:
    """Train everything, or one stage; a run that was cut off goes on where it was.

    Stages: render, autoencoder, encoder, generator, judge, rewards, freeze, alignment, calibrate, measure,
    tiny_decoder.

    \b
    Example:
      python build.py miniature train --minutes 40 --lease 8.5
      python build.py miniature train --stage generator --minutes 40
    """
    from miniature.training import plan

    unknown = [stage for stage in stages if stage not in plan.STAGES]
    if unknown:
        from ledger.problems import did_you_mean

        raise click.BadParameter(f"no stage '{unknown[0]}'{did_you_mean(unknown[0], plan.STAGES)}")
    plan.run(folder, stages or plan.STAGES, size, minutes, processes, lease)


@miniature.command()
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--count", type=click.IntRange(1, 400), default=48, show_default=True, help="Pictures on the sheet.")
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("world.png"))
def render(seed: int, count: int, out: Path) -> None:
    """Render scenes of the world with their captions: what the models learn from.

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
@_folder
@click.option("--engine", default="miniature-by-engine", show_default=True, help="Run of the evidence engine to add.")
def measure(folder: Path, engine: str) -> None:
    """Every number of results/miniature.json, from the raw rows in results/rows.

    A training folder with measured settings renews the rows first; without one any machine can check the numbers.

    \b
    Example:
      python build.py miniature train --stage measure
      python build.py miniature measure
    """
    from miniature.report import document as report

    if (folder / "measured").exists():
        report.gather(folder, ROOT / "runs" / engine, ROOT / "results")
    click.echo(report.write(ROOT / "results"))


@miniature.command()
def exhibits() -> None:
    """Draw the pictures of the knob and the wall with the shipped weights, into results/pictures/miniature.

    \b
    Example:
      python build.py miniature exhibits
    """
    from miniature.shipping import exhibits as made

    click.echo(made.write(ROOT))


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
@click.option("--resume", type=click.Path(path_type=Path, file_okay=False), help="Make a training run of them instead.")
def unpack(out: Path | None, resume: Path | None) -> None:
    """Restore the shipped weights as folders that stock diffusers and transformers load.

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
    """Make the files with which readers draw in their browsers, into .cache/draw; `make web` also installs the runtime.

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
    """Make miniature/world/sprites.zip from the unpacked npm package @lobehub/fluent-emoji-3d 1.1.0.

    \b
    Example:
      npm pack @lobehub/fluent-emoji-3d@1.1.0 && tar xzf lobehub-fluent-emoji-3d-1.1.0.tgz
      python build.py miniature sprites package/assets
    """
    from miniature.world import sprites as cast

    cast.pack(assets)
    click.echo(cast.ARCHIVE)


@click.command()
@click.argument("prompt", default=EXAMPLE)
@click.option("--alignment", type=click.FloatRange(0, 1.5), default=0.0, show_default=True, help="0 base, 1 aligned.")
@click.option("--family", default="draft", show_default=True, help="draft, dpo, or the name of a shipped variant.")
@click.option("--negative", default="", help="What to stay away from.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("out.png"), show_default=True
)
def draw(prompt: str, alignment: float, family: str, negative: str, seed: int, out: Path) -> None:
    """Draw one picture with the shipped miniature, on the CPU, without a network.

    \b
    Example:
      python build.py draw "a crying penguin on a beach at night, grainy" --alignment 0.5 --seed 7 -o out.png
    """
    from miniature.shipping import draw

    drawing_of = draw.Wish(prompt, alignment, seed, draw.FAMILIES.get(family, family), negative)
    seconds, digest = draw.to_file(drawing_of, out)
    click.echo(f"{out}  {seconds:.1f} s  sha256 {digest[:16]}")
