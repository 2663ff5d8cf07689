"""`python build.py evidence`: generate, score and judge pictures; show progress; aggregate results.

Thin: parses, calls, prints. torch, pydantic and the cards are imported inside the commands.
"""

from __future__ import annotations

import errno
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections import Counter

    from evidence.cards import Cards
    from evidence.engines import Options, Tally
    from evidence.jobs.plan import Plan
    from evidence.order import Order
    from evidence.samples.store import Store

DEFAULT_RUN = "measured"
STAGES = ("generate", "score", "judge")
PROTOCOL_NAMES = (
    "pairs classifiers emotion-choice emotion-generation real-photos leaderboard critical image-to-image sweep"
)


def _list(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[str, ...]:
    """`a,b@x=1,y=2,c`: commas part names, except those inside overrides."""
    names: list[str] = []
    for part in (piece.strip() for piece in text.split(",") if piece.strip()):
        if names and "@" in names[-1] and "=" in part and "@" not in part:
            names[-1] += f",{part}"
        else:
            names.append(part)
    return tuple(names)


def _options(_context: click.Context, _parameter: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise click.BadParameter(f"'{pair}' is not name=value")
    return dict(pair.split("=", 1) for pair in pairs)


def _workers(_context: click.Context, _parameter: click.Parameter, pairs: tuple[str, ...]) -> dict[str, int]:
    found = {}
    for stage, size in _options(_context, _parameter, pairs).items():
        if stage not in STAGES or not size.isdigit() or int(size) < 1:
            raise click.BadParameter(f"'{stage}={size}' is not a number of actors for {', '.join(STAGES)}")
        found[stage] = int(size)
    return found


def _batch(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    if text in ("", "auto") or (text.isdigit() and int(text) > 0):
        return text
    raise click.BadParameter(f"'{text}' is neither a number nor auto")


def _sweep(_context: click.Context, _parameter: click.Parameter, pairs: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(text.split(",")) for name, text in _options(_context, _parameter, pairs).items()}


def _runs(value: Path | None) -> Path:
    from evidence.order import RUNS

    return value or RUNS


rows_option = click.option(
    "--cards",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=None,
    help="Folder with a models.toml or scorers.toml of your own.",
)
runs_option = click.option("--runs", type=click.Path(path_type=Path, file_okay=False), default=None, hidden=True)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--models",
    default="miniature",
    callback=_list,
    show_default=True,
    help="Models or families of models.toml, separated by commas; NAME@setting=value overrides.",
)
@click.option(
    "--protocol", default="pairs", callback=_list, show_default=True, help=f"Separated by commas: {PROTOCOL_NAMES}."
)
@click.option(
    "--prompts", type=click.IntRange(min=1), default=None, help="Number of prompts of the set.  [default: all]"
)
@click.option(
    "--prompt-set",
    default="",
    help="wide, emotion, critical, a .jsonl file, or hub:owner/name.  [default: the protocol's]",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Pictures of every prompt, each with its own recorded seed; 0: no seed is set.",
)
@click.option(
    "--profile",
    type=click.Choice(["controlled", "as-published"]),
    default="controlled",
    show_default=True,
    help="Same settings for both pictures of a pair, or those of the published tables.",
)
@click.option(
    "--scorers",
    default="",
    callback=_list,
    help="Scorers of scorers.toml, separated by commas.  [default: all of the models' kind]",
)
@click.option(
    "--judges",
    default="",
    callback=_list,
    help="Pairwise judges of scorers.toml, separated by commas.  [default: none]",
)
@click.option("--set", "options", multiple=True, callback=_options, help="An option of the protocol, as name=value.")
@click.option(
    "--sweep",
    multiple=True,
    callback=_sweep,
    help="One generator for each value of a setting: vsf_scale=1,2,3.",
)
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True)
@click.option(
    "--workers", multiple=True, callback=_workers, help="Number of Ray actors of a stage: generate=7 or score=1."
)
@click.option("--worker-cpus", type=float, default=0.0, help="CPUs of each actor.  [default: by the cluster]")
@click.option("--address", default="", help="Address of a Ray cluster.  [default: start Ray on this machine]")
@click.option("--device", default="", help="cuda, cuda:1, cpu, ...  [default: a GPU where there is one]")
@click.option(
    "--run", "name", default=DEFAULT_RUN, show_default=True, help="Name of the run; its samples lie below runs/NAME."
)
@click.option(
    "--batch",
    default="",
    callback=_batch,
    help="Pictures sampled together: a number, or auto for what fits.  [default: the card's]",
)
@click.option(
    "--compile", "compiled", is_flag=True, help="Compile the denoiser on a GPU; recorded, since it moves pixels."
)
@click.option("--retry-failed", is_flag=True, help="Try again what failed permanently, too.")
@click.option("--dry-run", is_flag=True, help="Print the plan and its cost; generate nothing.")
@rows_option
@runs_option
@click.pass_context
def evidence(
    context: click.Context,
    models: tuple[str, ...],
    protocol: tuple[str, ...],
    prompts: int | None,
    prompt_set: str,
    seeds: int,
    profile: str,
    scorers: tuple[str, ...],
    judges: tuple[str, ...],
    options: dict[str, str],
    sweep: dict[str, tuple[str, ...]],
    engine: str,
    workers: dict[str, int],
    worker_cpus: float,
    address: str,
    device: str,
    name: str,
    batch: str,
    compiled: bool,
    retry_failed: bool,
    dry_run: bool,
    cards: Path | None,
    runs: Path | None,
) -> None:
    """Generate, score and judge pictures; samples that exist already are not made again.

    \b
    Examples:
      python build.py evidence --models miniature --prompts 4
      python build.py evidence --models flux-dev,dance-flux --protocol pairs --prompts 300 --seeds 1 --dry-run
      python build.py evidence --models "flux-dev-vsf@vsf_scale=3" --judges llm-judge
    """
    if context.invoked_subcommand is not None:
        return
    from evidence.cards import cards_of
    from evidence.order import Order
    from evidence.order.sweep import tuned
    from evidence.ready.doctor import gpu_gib

    found = cards_of(cards)
    gpu = gpu_gib() if batch == "auto" or compiled else None
    order = Order(
        models=tuple(tuned(models, found, profile, batch=batch, compiled=compiled, gpu_gib=gpu)),
        protocol=protocol,
        prompt_set=prompt_set,
        prompts=prompts,
        seeds=seeds,
        profile=profile,
        scorers=scorers,
        judges=judges,
        options=options,
        sweep=sweep,
    )
    if dry_run:
        _dry_run(order, found, name, _runs(runs))
        return
    from evidence.engines import Options

    chosen = Options(
        device=device,
        retry_failed=retry_failed,
        address=address,
        workers=workers,
        worker_cpus=worker_cpus,
    )
    _execute(order, found, name, _runs(runs), engine, chosen, cards)


def _dry_run(order: Order, cards: Cards, name: str, runs: Path) -> None:
    from evidence.estimate import estimate, table
    from evidence.order import store_of
    from evidence.order.resolve import participants_of, planned

    plan = planned(order, participants_of(order, cards), name)
    for line in table(list(estimate(plan, store_of(name, runs)))):
        click.echo(line)


def _execute(
    order: Order, cards: Cards, name: str, runs: Path, engine: str, options: Options, own_cards: Path | None
) -> None:
    for library in ("TRANSFORMERS_VERBOSITY", "DIFFUSERS_VERBOSITY"):
        os.environ.setdefault(library, "error")
    from evidence import run
    from evidence.devices import device_here
    from evidence.order import store_of
    from evidence.progress import RunProgress

    local = engine == "local"
    chosen = replace(options, device=device_here(options.device)) if local else options
    with RunProgress(click.echo, sys.stdout if sys.stdout.isatty() else None) as told, _disk_errors(runs):
        plan, tally = run.execute(
            order, name, chosen, told, engine_name=engine, cards=cards, runs=runs, own_cards=own_cards
        )
    _summary(plan, store_of(name, runs), tally, name, own_cards)
    if tally.unavailable and not plan.participants.models:
        raise SystemExit(1)


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    """A full or read-only disk as one line."""
    from ledger.problems import InputError, Problem

    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EACCES):
            raise
        told = f"cannot be written: {error.strerror}; what is stored stays, and the same command continues from it"
        raise InputError([Problem(str(folder), 0, "", told)]) from None


def _summary(plan: Plan, store: Store, tally: Tally, name: str, own_cards: Path | None) -> None:
    from evidence.run import progress

    for (stage, card), counts in progress(plan, store).items():
        click.echo(_counts(stage, card, counts))
    for line in store.damaged:
        click.echo(line)
    if tally.unavailable:
        click.echo(f"skipped: {', '.join(tally.unavailable)}; `python build.py evidence doctor` says what would help")
    told = ["python", "build.py", "evidence", "collect", "--run", name]
    click.echo(f"next: {shlex.join([*told, *(['--cards', str(own_cards)] if own_cards else [])])}")


def _counts(stage: str, card: str, counts: Counter[str]) -> str:
    parts = [f"{counts.get(status, 0)} {status}" for status in ("done", "failed", "missing") if counts.get(status)]
    return f"{stage:<9} {card:<28} {', '.join(parts) or 'nothing'}"


@evidence.command()
@click.option("--run", "name", default=DEFAULT_RUN, show_default=True, help="Name of the run.")
@click.option("--failures", is_flag=True, help="List every failed sample with its error.")
@rows_option
@runs_option
def status(name: str, failures: bool, cards: Path | None, runs: Path | None) -> None:
    """Show what is done, failed and missing.

    \b
    Example:
      python build.py evidence status --failures
    """
    from evidence.cards import cards_of
    from evidence.order import orders, store_of
    from evidence.order.resolve import participants_of, planned
    from evidence.run import progress

    found, store = cards_of(cards), store_of(name, _runs(runs))
    for order, command in orders(name, _runs(runs)):
        click.echo(command or f"order {order.digest}")
        plan = planned(order, participants_of(order, found), name)
        for (stage, card), counts in progress(plan, store).items():
            click.echo("  " + _counts(stage, card, counts))
    if failures:
        for record in store.records():
            if record.status == "failed":
                who = record.made.get("model") or record.made.get("scorer") or record.made.get("judge")
                said = f"{record.result['error']}: {record.result['reason']}"
                click.echo(f"  {record.key[:12]} {record.stage} {who}: {said} ({record.made['attempts']} attempts)")


@evidence.command()
@rows_option
def doctor(cards: Path | None) -> None:
    """List what can run on this machine.

    For every other model and scorer: what it lacks, and what would help.

    \b
    Example:
      python build.py evidence doctor
    """
    from evidence.cards import cards_of
    from evidence.ready.doctor import examine, lock_note, memory_gib

    found = cards_of(cards)
    memory = memory_gib()
    click.echo(f"memory: {memory:.0f} GiB; {lock_note(found)}")
    able = []
    for name, lacks in examine(found, memory):
        if not lacks:
            able.append(name)
            continue
        click.echo(name)
        for lack in lacks:
            click.echo(f"  lacks {lack.what}\n    {lack.mend}")
    click.echo(f"can run: {', '.join(able)}" if able else "no card can run here yet")


@evidence.command()
@click.option("--run", "name", default=DEFAULT_RUN, show_default=True, help="Name of the run.")
@click.option(
    "--exhibits",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Pairs per generator to publish as pictures.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, help="File to write.  [default: results/RUN.json]"
)
@rows_option
@runs_option
def collect(name: str, exhibits: int, out: Path | None, cards: Path | None, runs: Path | None) -> None:
    """Aggregate the samples of a run into a document of the ledger.

    \b
    Example:
      python build.py evidence collect --exhibits 4
    """
    from evidence import collect as collecting
    from evidence.cards import cards_of
    from evidence.order import ROOT, orders, store_of

    target = out or ROOT / "results" / f"{name}.json"
    found = collecting.collect(
        orders(name, _runs(runs)),
        name,
        store_of(name, _runs(runs)),
        cards=cards_of(cards),
        exhibits=exhibits,
        say=click.echo,
    )
    with _disk_errors(target.parent):
        collecting.write(found, target, name)
    document = found.document
    click.echo(f"{target}: {len(document.values)} values, {len(document.exhibits)} exhibits")
