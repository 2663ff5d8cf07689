"""Command line of the project. `python build.py` alone builds the site; every command's --help has an example.

Thin on purpose: commands parse, call and print. Heavy modules are imported inside commands, so that --help and a build
with nothing to do stay quick.
"""

from __future__ import annotations

import codecs
import gc
import importlib
import io
import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.problems import InputError, Problem
from ledger.progress import Progress

if TYPE_CHECKING:
    from pages.build import Report

ROOT = Path(__file__).parent


def _printable(error: UnicodeError) -> tuple[str, int]:
    """What a console prints for letters that its encoding lacks: a hyphen for a minus sign, else a question mark."""
    assert isinstance(error, UnicodeEncodeError)
    lost = error.object[error.start : error.end]
    return "".join("-" if letter in "\u2212\u2010\u2013" else "?" for letter in lost), error.end


class Commands(click.Group):
    """Mounts commands of other packages by address, without importing them before they are called."""

    elsewhere: dict[str, tuple[str, str]] = {  # noqa: RUF012
        "evidence": ("evidence.cli:evidence", "Generate, score and judge: fill results/ with measured values."),
        "miniature": ("miniature.cli:miniature", "Train, measure and pack the small models."),
        "draw": ("miniature.cli:draw", "Draw pictures with the miniature, a small text-to-image model."),
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *self.elsewhere])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.elsewhere:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.elsewhere[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, command.get_short_help_str(90)) for name, command in self.commands.items()]
        rows += [(name, text) for name, (_, text) in self.elsewhere.items()]
        with formatter.section("Commands"):
            formatter.write_dl(sorted(rows))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Without the name of a command, options are those of `build`."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["build", *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """What users should see of a failure: its problems, one a line, and exit status 1."""
        try:
            return super().invoke(ctx)
        except InputError as error:
            _complain(error.problems)
            ctx.exit(1)
        except BrokenPipeError:  # click ends quietly where nobody reads on
            raise
        except OSError as error:
            place = error.filename2 or error.filename or ctx.invoked_subcommand
            _complain([Problem(str(place), 0, "", error.strerror or str(error))])
            ctx.exit(1)


class Finite(click.FloatRange):
    """A range that "nan" and "inf" are outside of, which click's own lets pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number.", param, ctx)
        return number


root_option = click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True),
    default=ROOT,
    help="The publication: a folder with content/ and results/.  [default: this one]",
)
out_option = click.option(
    "--out", type=click.Path(path_type=Path), help="The folder of the site.  [default: ROOT/site]"
)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Publish a research page with its evidence. Without a command: build.

    \b
    Example:
      python build.py
    """


@contextmanager
def _uncollected() -> Iterator[None]:
    """No search for cycles of objects meanwhile, nor at exit among what is left: they took a fifth of the CPU time of a
    build in which one exhibit changed (0.18 of 0.94 s)."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@main.command()
@out_option
@root_option
@click.option("--jobs", type=click.IntRange(min=0), default=0, help="Number of encoder processes; 0: one per core.")
@click.option("--force", is_flag=True, help="Ignore all caches: render and encode everything.")
@click.option("--check/--no-check", "checked", default=True, help="Check the site before it is published.")
def build(out: Path | None, root: Path, jobs: int, force: bool, checked: bool) -> None:
    """Build the site from content/ and results/, check it and publish it.

    Where the check finds a problem, the old site stays.

    \b
    Example:
      python build.py build --out /tmp/preview --jobs 2
    """
    from pages.build import Console
    from pages.build import build as make

    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # to look for one reads every installed package
    out = out or root / "site"
    with _uncollected(), _progress() as progress:
        console = Console(click.echo, lambda done, total: progress.show("pictures", done, total))
        report = make(root, out, jobs=jobs, checked=checked, force=force, console=console)
    _tell(report, out)
    _leave()


def _leave() -> None:
    """End the program here. To free its objects one by one, for a system that takes the memory back at once, took 0.015
    of 0.55 s of a build in which one exhibit changed."""
    if __name__ == "__main__":
        sys.stdout.flush()
        os._exit(0)


def _tell(report: Report, out: Path) -> None:
    for note in report.notes:
        click.echo(f"note: {note}")
    if report.problems:
        _complain(report.problems)
        click.echo(f"{out}: not published, the old site stays", err=True)
        raise SystemExit(1)
    if report.unchanged:
        click.echo(f"{out}: nothing changed")
        return
    click.echo(
        f"{out}: {report.pages} pages, {report.pictures} pictures ({report.encoded} encoded), "
        f"{report.written} files written, {report.kept} kept, {len(report.removed)} removed"
    )


@main.command()
@out_option
@root_option
def check(out: Path | None, root: Path) -> None:
    """Check the built site: same evidence in both variants, links, pictures, numbers, budgets.

    Exit status 1 on any failure.

    \b
    Example:
      python build.py check --out site
    """
    from pages.output.check import check as prove
    from pages.source.citation import disagreements
    from pages.source.unfinished import unfinished

    out = out or root / "site"
    found = [*prove(root, out), *unfinished(root), *disagreements(root)]
    if found:
        _complain(found)
        raise SystemExit(1)
    click.echo(f"{out}: sound")


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@root_option
def serve(port: int, root: Path) -> None:
    """Preview the site on 127.0.0.1; rebuild and reload on change.

    \b
    Example:
      python build.py serve --port 8000
    """
    from pages.serve import serve as run

    run(root, port, click.echo)


@main.command()
@click.argument("source", metavar="IN", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--treatment", required=True, help="A treatment of content/taxonomy.toml.")
@click.option("--severity", type=Finite(0, 1), default=0.6, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("--max-megapixels", type=Finite(min=1), default=200, show_default=True, help="Largest picture.")
def treat(source: Path, target: Path, treatment: str, severity: float, seed: int, max_megapixels: float) -> None:
    """Apply one treatment to one picture.

    \b
    Example:
      python build.py treat photo.jpg worse.png --treatment analog_degradation --severity 0.6 --seed 14
    """
    from pages.images.treat import treat as apply

    try:
        apply(source, target, treatment, severity, seed, int(max_megapixels * 1e6))
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{target}: {treatment} {severity:g}, seed {seed}")


@main.command()
@root_option
@click.option(
    "--accept",
    multiple=True,
    envvar="ACCEPT_GROUPS",
    help="A group of pictures that you state you may show; repeatable.",
)
@click.option(
    "--from",
    "clone",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A local copy of a source's files: they are read there, and pinned as if they had been downloaded.",
)
@click.option("--offline", is_flag=True, help="Use no network: verify the files at hand, take the rest from --from.")
@click.option("--limit-mb", type=Finite(min=0.001), default=30.0, show_default=True, help="Largest file.")
@click.option("--timeout", type=Finite(min=0.1), default=30.0, show_default=True, help="Seconds for a whole file.")
def fetch(
    root: Path, accept: tuple[str, ...], clone: Path | None, offline: bool, limit_mb: float, timeout: float
) -> None:
    """Download remote pictures with their prompts, and pin them.

    The pins are in content/pictures.lock.json. Pictures under a free licence are always downloaded. Of the other groups
    in content/sources.toml, those that you accept are: the lock file records that you did, and the page says so.

    \b
    Example:
      python build.py fetch --accept authors --accept ava
    """
    from pages.source.fetch import Downloader
    from pages.source.fetch import fetch as bring

    downloader = Downloader(int(limit_mb * 1e6), timeout, clone, offline)
    outcome = bring(root, downloader, accept, click.echo)
    if outcome.failed:
        _complain(outcome.failed)
        raise SystemExit(1)


@main.command("import-scores")
@click.argument("table", metavar="FILE.csv", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@root_option
def import_scores(table: Path, root: Path) -> None:
    """Turn a published table of scores into rows and values.

    content/scores.toml says how.

    \b
    Example:
      python build.py import-scores raw_scores.csv
    """
    from ledger.import_scores import import_scores as recompute

    with _progress() as progress:
        report = recompute(table, root, lambda done, total, what: progress.show("columns", done, total))
    for line in report.lines():
        click.echo(line)


@main.command()
@click.argument("ids", metavar="[ID]...", nargs=-1)
@root_option
def recompute(ids: tuple[str, ...], root: Path) -> None:
    """Compute values again from their rows and compare.

    Exit status 1 where one differs in its last printed digit. Without an ID: every value that has a measure, and only
    what differs is listed. An ID may hold `*`.

    \b
    Example:
      python build.py recompute 'miniature.contrast.*'
    """
    import ledger
    from ledger.recompute import recompute as again

    found = list(again(ledger.load(root), ids))
    differing = [item for item in found if item.differences]
    for item in found if ids else differing:
        click.echo(str(item))
    missing = sum(item.missing for item in found)
    agreeing = len(found) - missing - len(differing)
    click.echo(f"{agreeing} agree, {len(differing)} differ, {missing} have no rows in this copy")
    if differing:
        raise SystemExit(1)


@main.command("init")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--bib", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="BibTeX of the paper.")
def init(folder: Path, bib: Path | None) -> None:
    """Begin a publication: a small paper that builds at once, with TODO marks.

    \b
    Example:
      python build.py init ../my-paper --bib my-paper.bib
    """
    import shlex
    from datetime import date

    from pages.source.init import init as begin

    files = begin(folder, bib, date.today().year)  # noqa: DTZ011 - the year on the author's own calendar
    click.echo(f"{folder}: {len(files)} files; next: python build.py serve --root {shlex.quote(str(folder))}")


@main.command("new-exhibit")
@click.argument("name")
@click.option("--picture", "pictures", multiple=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--title", default="", help="Title of the exhibit.")
@click.option("--set", "sets", multiple=True, help="Set of exhibits that it belongs to; repeatable.")
@root_option
def new_exhibit(name: str, pictures: tuple[Path, ...], title: str, sets: tuple[str, ...], root: Path) -> None:
    """Add an exhibit: copy its pictures, write a JSON file to fill in.

    Pictures are named by the hash of their bytes; the file is results/exhibit-NAME.json.

    \b
    Example:
      python build.py new-exhibit wet-dog --picture dog.jpg --title "Wet dog" --set photographs
    """
    from pages.source.scaffold import new_exhibit as scaffold

    click.echo(f"{scaffold(root, name, pictures, title, sets)}: replace the texts that begin with TODO")


def _complain(problems: Sequence[Problem]) -> None:
    for problem in problems:
        click.echo(str(problem), err=True)
    click.echo(f"{len(problems)} problem{'s' if len(problems) != 1 else ''}", err=True)


def _progress() -> Progress:
    return Progress(lambda line: click.echo(line, err=True), sys.stderr if sys.stderr.isatty() else None)


if __name__ == "__main__":
    codecs.register_error("printable", _printable)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="printable")
    main(prog_name="python build.py")
