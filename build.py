"""Command line of the project. `python build.py` alone builds the site; every command's --help has an example.

Thin on purpose: commands parse, call and print. Heavy modules are imported inside commands, so that --help and a build
with nothing to do stay quick.
"""

from __future__ import annotations

import codecs
import importlib
import io
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

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
        "draw": ("miniature.cli:draw", "Draw one picture with the miniature."),
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

    def invoke(self, ctx: click.Context) -> Any:
        """InputError is what users should see of a failure: its problems, one a line, and exit status 1."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            problems = getattr(error, "problems", None)
            if problems is None or type(error).__name__ != "InputError":
                raise
            _complain(problems)
            ctx.exit(1)


class Finite(click.FloatRange):
    """A range that "nan" and "inf" are outside of, which click's own lets pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number.", param, ctx)
        return number


@click.group(cls=Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def main(ctx: click.Context) -> None:
    """Publish a research page with the evidence it stands on. Without a command: build.

    \b
    Example:
      python build.py
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(build)


@main.command()
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "site", help="Folder to build.  [default: site]")
@click.option("--root", type=click.Path(path_type=Path, exists=True, file_okay=False), default=ROOT, hidden=True)
@click.option("--jobs", type=click.IntRange(min=0), default=0, help="Encoders at once; 0 is one per core.")
@click.option("--force", is_flag=True, help="Build even where nothing changed.")
@click.option("--check/--no-check", "checked", default=True, help="Prove the built site afterwards.")
def build(out: Path, root: Path, jobs: int, force: bool, checked: bool) -> None:
    """Build site/ from content/ and results/, then check it.

    \b
    Example:
      python build.py build --out /tmp/preview --jobs 2
    """
    import gc

    from pages.build import Console
    from pages.build import build as make

    gc.disable()  # a build is short and keeps what it makes: collecting costs a tenth of it and frees nothing
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # to look for one reads every installed package
    progress = Progress("pictures")
    try:
        report = make(root, out, jobs=jobs, checked=checked, force=force, console=Console(click.echo, progress.show))
    finally:
        progress.close()
    _tell(report, out)
    leave = click.get_current_context().obj
    if leave is not None:
        leave()


def _tell(report: Report, out: Path) -> None:
    if report.unchanged:
        click.echo(f"{out}: nothing changed")
        return
    for note in report.notes:
        click.echo(f"note: {note}")
    click.echo(
        f"{out}: {report.pages} pages, {report.pictures} pictures ({report.encoded} encoded), "
        f"{report.written} files written, {report.kept} kept, {len(report.removed)} removed"
    )
    if report.problems:
        _complain(report.problems)
        raise SystemExit(1)


@main.command()
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "site", help="The built site.  [default: site]")
@click.option("--root", type=click.Path(path_type=Path, exists=True, file_okay=False), default=ROOT, hidden=True)
def check(out: Path, root: Path) -> None:
    """Prove the built site: both variants alike, links, pictures, numbers, budgets. Exit status 1 on any failure.

    \b
    Example:
      python build.py check --out site
    """
    from pages.output.check import check as prove
    from pages.source.unfinished import unfinished

    found = [*prove(root, out), *unfinished(root)]
    if found:
        _complain(found)
        raise SystemExit(1)
    click.echo(f"{out}: sound")


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option("--root", type=click.Path(path_type=Path, exists=True, file_okay=False), default=ROOT, hidden=True)
def serve(port: int, root: Path) -> None:
    """Live preview on 127.0.0.1: rebuilds and reloads on change.

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
@click.option("--root", type=click.Path(path_type=Path, exists=True, file_okay=False), default=ROOT, hidden=True)
@click.option("--accept", multiple=True, envvar="ACCEPT_GROUPS", help="A group of rights that you say you may show.")
@click.option(
    "--from",
    "clone",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A local copy of a source's files: they are read there, and pinned as if they had been downloaded.",
)
@click.option("--offline", is_flag=True, help="Ask no network: verify what is at hand, take the rest from --from.")
@click.option("--limit-mb", type=Finite(min=0.001), default=30.0, show_default=True, help="Largest file.")
@click.option("--timeout", type=Finite(min=0.1), default=30.0, show_default=True, help="Seconds for a whole file.")
def fetch(
    root: Path, accept: tuple[str, ...], clone: Path | None, offline: bool, limit_mb: float, timeout: float
) -> None:
    """Bring the remote pictures of the ledger, with their prompts, and pin them in content/pictures.lock.json.

    Pictures whose rights are free come by themselves. Of the groups in content/sources.toml that are not, those you
    accept come too: the lock notes that you did, and the page says so.

    \b
    Example:
      python build.py fetch --accept authors --accept ava
    """
    from pages.source.fetch import Supply
    from pages.source.fetch import fetch as bring

    supply = Supply(int(limit_mb * 1e6), timeout, clone, offline)
    outcome = bring(root, supply, accept, click.echo)
    if outcome.failed:
        _complain(outcome.failed)
        raise SystemExit(1)


@main.command("import-scores")
@click.argument("table", metavar="FILE.csv", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--root", type=click.Path(path_type=Path, exists=True, file_okay=False), default=ROOT, help="The project."
)
def import_scores(table: Path, root: Path) -> None:
    """Turn a published table of scores into rows and recomputed values, as content/scores.toml says.

    \b
    Example:
      python build.py import-scores raw_scores.csv
    """
    from ledger.import_scores import import_scores as recompute

    progress = Progress("columns")
    try:
        report = recompute(table, root, lambda done, total, what: progress.show(done, total))
    finally:
        progress.close()
    for line in report.lines():
        click.echo(line)


@main.command()
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option(
    "--root", type=click.Path(path_type=Path, exists=True, file_okay=False), default=ROOT, help="The project."
)
def recompute(ids: tuple[str, ...], root: Path) -> None:
    """Compute values again from their rows; exit status 1 where one differs in its last printed digit.

    Without an ID: every value that has a measure, and only what differs is listed. An ID may hold `*`.

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
    """Begin a publication: a small paper that builds, with what is still to write marked TODO.

    \b
    Example:
      python build.py init ../my-paper --bib my-paper.bib
    """
    from datetime import date

    from pages.source.init import init as begin

    files = begin(folder, bib, date.today().year)  # noqa: DTZ011 - the year on the author's own calendar
    click.echo(f"{folder}: {len(files)} files; next: python build.py serve --root {folder}")


@main.command("new-exhibit")
@click.argument("name")
@click.option("--picture", "pictures", multiple=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--title", default="", help="Title on the wall label.")
@click.option("--set", "sets", multiple=True, help="Where the page shows it.")
@click.option("--root", type=click.Path(path_type=Path, exists=True, file_okay=False), default=ROOT, hidden=True)
def new_exhibit(name: str, pictures: tuple[Path, ...], title: str, sets: tuple[str, ...], root: Path) -> None:
    """Add an exhibit: copies the pictures by the hash of their bytes and writes results/exhibit-NAME.json to fill in.

    \b
    Example:
      python build.py new-exhibit wet-dog --picture dog.jpg --title "Wet dog" --set photographs
    """
    from pages.source.scaffold import new_exhibit as scaffold

    click.echo(f"{scaffold(root, name, pictures, title, sets)}: replace the texts that begin with TODO")


def _complain(problems: Any) -> None:
    for problem in problems:
        click.echo(str(problem), err=True)
    click.echo(f"{len(problems)} problem{'s' if len(problems) != 1 else ''}", err=True)


class Progress:
    """A bar on a terminal, a plain line every tenth elsewhere; nothing, and no import, when there is no work."""

    def __init__(self, what: str) -> None:
        self.what, self.tenth = what, 0
        self.bar: Any = None
        self.task: Any = None

    def show(self, done: int, total: int) -> None:
        if sys.stderr.isatty():
            if self.bar is None:
                from rich.console import Console
                from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

                columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
                bar: Any = Progress(*columns, console=Console(stderr=True), transient=True)
                bar.start()
                self.bar, self.task = bar, bar.add_task(self.what, total=total)
            self.bar.update(self.task, completed=done)
        elif done * 10 // total > self.tenth:
            self.tenth = done * 10 // total
            click.echo(f"{self.what}: {done} of {total}", err=True)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()


def _leave() -> None:
    """End the process at once: to take apart object by object what it holds is a twentieth of a short build."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    codecs.register_error("printable", _printable)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="printable")
    main(prog_name="python build.py", obj=_leave)
