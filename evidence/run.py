"""From an order (what a person asked for) to samples in a run folder: participants, experiments, plan, execution.

    runs/NAME/orders/<digest>.json   what was asked for, so that `status` and `collect` need no arguments
    runs/NAME/samples/<aa>/<key>.*   what was made; shared by all orders of the run

Cards that cannot run here (gated or missing weights, no key, too little memory) are told in one line each and left out;
the others go on.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field

from evidence import prompts, protocols, weights
from evidence import scorers as scoring
from evidence.cards.base import pick
from evidence.cards.models import CONTROLLED, ModelCard
from evidence.cards.models import load as read_models
from evidence.engines import Engine, Options, Reporter, Tally, engine
from evidence.jobs.plan import Participants, Plan, build, configured, merge
from evidence.registry import ADAPTERS
from evidence.samples.store import Store, atomic_write, canonical, without_secrets
from evidence.scorers import ScorerCard
from ledger.problems import InputError, Problem, did_you_mean
from ledger.schema import Strict

ROOT = Path(__file__).resolve().parents[1]
RUNS = ROOT / "runs"
MINIATURE = "miniature"


class Order(Strict):
    """What a person asked for. Names are those of the command line."""

    models: tuple[str, ...]
    protocol: tuple[str, ...] = ("pairs",)
    prompt_set: str = ""  # empty: the protocol's own
    prompts: int | None = None
    seeds: int = 1  # repeats of every prompt; 0 leaves the samplers free
    profile: str = CONTROLLED
    scorers: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()
    options: dict[str, str] = Field(default_factory=dict)
    sweep: dict[str, tuple[str, ...]] = Field(default_factory=dict)  # setting -> its values, one generator for each

    @property
    def digest(self) -> str:
        return hashlib.sha256(canonical(self.model_dump(mode="json")).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Cards:
    """The cards that names are looked up in."""

    models: Mapping[str, ModelCard] = field(default_factory=read_models)
    scorers: Mapping[str, ScorerCard] = field(default_factory=scoring.read)


def cards_of(folder: Path | None) -> Cards:
    """The project's cards, and those of `models.toml` and `scorers.toml` in a folder of one's own, which win."""
    cards = Cards()
    if folder is None:
        return cards
    files = folder / "models.toml", folder / "scorers.toml"
    if not any(file.exists() for file in files):
        raise InputError([Problem(str(folder), 0, "", "holds neither models.toml nor scorers.toml")])
    own = read_models(files[0]) if files[0].exists() else {}
    scorers = scoring.read(files[1]) if files[1].exists() else {}
    return Cards({**cards.models, **own}, {**cards.scorers, **scorers})


def expand(names: Iterable[str], cards: Cards) -> list[str]:
    """Names of cards; that of a family (`miniature`, `Flux`) stands for all its cards. InputError for unknown names."""
    found: dict[str, None] = {}
    families = {card.family.lower() for card in cards.models.values() if card.family}
    problems: list[Problem] = []
    for name in names:
        family = [card.id for card in cards.models.values() if card.family.lower() == name.lower()]
        base = name.partition("@")[0]
        if base in cards.models:
            found[name] = None
        elif family:
            found |= dict.fromkeys(family)
        else:
            hint = did_you_mean(base, [*cards.models, *families])
            problems.append(Problem("--models", 0, name, f"no such card or family in evidence/cards/models.toml{hint}"))
    if problems:
        raise InputError(problems)
    return list(found)


ACTIVATIONS_GIB = 3.0  # of one more picture of a megapixel in a batch
MEGAPIXELS = 4.0  # in a batch at most: larger ones fill the card no better


def tuned(
    names: Sequence[str], cards: Cards, profile: str, *, batch: str = "", compiled: bool = False, gpu_gib: float | None
) -> list[str]:
    """Names with a batch size (a number, or `auto`: as many as fit beside the weights) and compilation added as
    overrides, where an adapter reads them. Both move pictures by some grey levels: that is why they stand in the name,
    in the recipe and in the key, and why neither is chosen behind anyone's back."""
    found = []
    for name in expand(names, cards):
        one = configured(name, cards.models)
        reads = ADAPTERS[one.card.adapter].settings
        settings = one.card.settings(profile)
        extra = {}
        if batch and "batch" in reads:
            extra["batch"] = str(fitting(one.card, settings, gpu_gib)) if batch == "auto" else batch
        if compiled and "compile" in reads and gpu_gib:
            extra["compile"] = "true"
        told = ",".join(f"{key}={value}" for key, value in extra.items() if str(settings.get(key)).lower() != value)
        found.append(f"{name}{',' if '@' in name else '@'}{told}" if told else name)
    return found


def fitting(card: ModelCard, settings: Mapping[str, object], gpu_gib: float | None) -> int:
    """How many pictures a batch may hold on a GPU of this memory; one without a GPU, or where the need is unknown."""
    if not gpu_gib or card.memory_gib is None:
        return 1
    megapixels = int(str(settings["width"])) * int(str(settings["height"])) / 2**20
    room = gpu_gib * 0.9 - card.memory_gib
    return max(1, min(int(1 + room / (ACTIVATIONS_GIB * megapixels)), int(MEGAPIXELS / megapixels)))


def points(name: str, sweep: Mapping[str, tuple[str, ...]]) -> list[str]:
    """`name` under each value of each swept setting, or `name` itself without a sweep. A setting of VSF or NAG turns
    its method on."""
    found = []
    for setting, choices in sweep.items():
        method = next((f"method={m}," for m in ("vsf", "nag") if setting.startswith(f"{m}_")), "")
        joint = "," if "@" in name else "@"
        found += [f"{name}{joint}{method}{setting}={choice}" for choice in choices]
    return found or [name]


def participants_of(order: Order, cards: Cards) -> Participants:
    """Who takes part. Without names, the scorers are those of the generators' kind: the miniature has its own."""
    names = [swept for name in expand(order.models, cards) for swept in points(name, order.sweep)]
    models = [configured(name, cards.models) for name in names]
    lacking = [m.name for m in models if order.profile not in m.card.profiles]
    if lacking:
        raise InputError([Problem("--profile", 0, name, f"has no profile '{order.profile}'") for name in lacking])
    singles = {name: card for name, card in cards.scorers.items() if card.role != "pairwise-judge"}
    pairwise = {name: card for name, card in cards.scorers.items() if name not in singles}
    small = all(m.card.family == MINIATURE for m in models)
    default = [name for name, card in singles.items() if (_family(card) == MINIATURE) == small]
    chosen = pick(singles, list(order.scorers) or default, "evidence/cards/scorers.toml")
    judges = pick(pairwise, list(order.judges), "evidence/cards/scorers.toml")
    return Participants(
        models={m.name: m for m in models},
        scorers={card.id: card for card in chosen},
        judges={card.id: card for card in judges},
        profile=order.profile,
    )


def _family(card: ScorerCard) -> str:
    return str(getattr(card, "family", ""))


def own_prompts(participants: Participants, name: str, results: Path) -> str:
    """`results/FAMILY/prompts/NAME.jsonl`, where all generators are of one family that ships a set of its own: one that
    knows few words is asked only what it knows. Empty where there is none."""
    families = {m.card.family.lower() for m in participants.models.values()}
    file = results / "-".join(sorted(families)) / "prompts" / f"{name}.jsonl"
    return str(file) if len(families) == 1 and name and file.is_file() else ""


def experiments(
    order: Order, participants: Participants, name: str, results: Path = ROOT / "results"
) -> dict[str, protocols.Experiment]:
    """One experiment per protocol, with the prompt set that was named, the family's own or the protocol's own."""
    found = {}
    for protocol in order.protocol:
        try:
            module = protocols.load(protocol)
        except KeyError:
            hint = did_you_mean(protocol, protocols.PROTOCOLS)
            raise InputError([Problem("--protocol", 0, protocol, f"no such protocol{hint}")]) from None
        chosen = order.prompt_set or own_prompts(participants, module.PROMPTS, results) or module.PROMPTS
        if not chosen:
            raise InputError(
                [Problem("--prompt-set", 0, protocol, "needs a prompt set of its own: name a .jsonl file")]
            )
        repeats: tuple[int | None, ...] = tuple(range(order.seeds)) or (None,)
        found[protocol] = protocols.Experiment(
            name, participants, prompts.load(chosen, order.prompts), repeats, order.options
        )
    return found


def plan_of(order: Order, participants: Participants, name: str) -> Plan:
    wanted = (
        protocols.load(protocol).requirements(experiment)
        for protocol, experiment in experiments(order, participants, name).items()
    )
    return build(participants, merge(wanted))


def folder(name: str, runs: Path = RUNS) -> Path:
    return runs / name


def store_of(name: str, runs: Path = RUNS) -> Store:
    return Store(folder(name, runs) / "samples")


def keep_order(order: Order, name: str, command: str, runs: Path = RUNS) -> None:
    told = {"order": order.model_dump(mode="json"), "command": without_secrets(command)}
    atomic_write(folder(name, runs) / "orders" / f"{order.digest}.json", json.dumps(told, indent=1).encode() + b"\n")


def orders(name: str, runs: Path = RUNS) -> list[tuple[Order, str]]:
    """Every order of a run with its command, oldest first. InputError for a run that does not exist."""
    found = sorted(
        (folder(name, runs) / "orders").glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name)
    )
    if not found:
        known = sorted(path.parent.parent.name for path in runs.glob("*/orders/*.json"))
        hint = did_you_mean(name, known)
        raise InputError(
            [Problem("runs", 0, name, f"there is no such run{hint}; start one with `python build.py evidence`")]
        )
    told = [json.loads(path.read_text("utf-8")) for path in found]
    return [(Order.model_validate(one["order"]), one["command"]) for one in told]


def execute(
    order: Order,
    name: str,
    options: Options,
    report: Reporter,
    *,
    engine_name: str = "local",
    cards: Cards | None = None,
    runs: Path = RUNS,
    command: str = "",
) -> tuple[Plan, Tally]:
    """Makes what is missing of an order. The plan that comes back is that of the cards that could run."""
    run: Engine = engine(engine_name)
    participants = participants_of(order, cards or Cards())
    keep_order(order, name, command, runs)
    able, unavailable = ready(participants, options.device, report)
    plan = plan_of(order, able, name)
    tally = run(plan, store_of(name, runs), options, report)
    tally.unavailable = unavailable | tally.unavailable
    return plan, tally


def ready(participants: Participants, device: str, report: Reporter) -> tuple[Participants, dict[str, str]]:
    """The participants without the cards that cannot run here, and one line for each of those.

    Weights that nobody has pinned are fetched now: keys name their revision, so it must be known before the plan."""
    unavailable: dict[str, str] = {}

    def usable(card: ModelCard | ScorerCard, name: str, need: float | None) -> bool:
        try:
            if not card.remote:
                room = _memory(device)
                if need is not None and need > room:
                    raise MemoryError(f"needs {need:g} GiB, {device} has {room:.0f}")
                pin(card)
        except Exception as error:
            unavailable[name] = without_secrets((str(error) or type(error).__name__).splitlines()[0])
            report.say(f"{name}: skipped: {unavailable[name]}")
        return name not in unavailable

    models = {n: m for n, m in participants.models.items() if usable(m.card, n, m.card.memory_gib)}
    scorers = {n: card for n, card in participants.scorers.items() if usable(card, n, card.memory_gib)}
    return dataclasses.replace(participants, models=models, scorers=scorers), unavailable


def _memory(device: str) -> float:
    from evidence.engines.local import memory_gib

    return memory_gib(device)


def pin(card: ModelCard | ScorerCard) -> None:
    """Fetches the weights of an unpinned card, which pins them. WeightsMissing says what would mend it."""
    if card.revision != weights.UNPINNED:
        return
    weights.fetch(card.weights, tuple(card.files), prepare=card.prepare)
    if isinstance(card, ScorerCard):
        if card.base:
            weights.fetch(card.base, tuple(card.base_files))
    else:
        for address in card.addresses[1:]:
            weights.fetch(address, prepare=card.prepare)


def progress(plan: Plan, store: Store) -> dict[tuple[str, str], Counter[str]]:
    """For each (stage, card): how many samples are done, failed and missing."""
    from evidence.jobs.work import pixels_of, sources
    from evidence.samples.store import key_of

    told: dict[tuple[str, str], Counter[str]] = {}

    def count(stage: str, card: str, key: str | None) -> None:
        record = store.get(key) if key else None
        told.setdefault((stage, card), Counter())[record.status if record else "missing"] += 1

    for job in plan.pictures.values():
        count("generate", job.spec.model, job.key)
    whereabouts = sources(plan)
    for reference, pairs in plan.scorings.items():
        pixels = pixels_of(whereabouts[reference], reference, store)
        for scorer, prompt in pairs:
            key = key_of("score", plan.participants.score(scorer, pixels, prompt)) if pixels else None
            count("score", scorer, key)
    for one in plan.comparisons:
        a, b = (pixels_of(s, plan.participants.reference(s) or "", store) for s in (one.a, one.b))
        key = key_of("judge", plan.participants.verdict(one.judge, a, b, one.prompt)) if a and b else None
        count("judge", one.judge, key)
    return told


def totals(plan: Plan) -> dict[str, int]:
    return {"generate": len(plan.pictures), "score": plan.n_scorings, "judge": len(plan.comparisons)}


def device_here() -> str:
    """The accelerator if torch sees one, else the processor. EVIDENCE_DEVICE overrides."""
    if chosen := os.environ.get("EVIDENCE_DEVICE"):
        return chosen
    import torch

    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
