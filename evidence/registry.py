"""The adapters of generators and scorers by name, ours and those of installed packages.

`@generator` and `@scorer` stand on a torch-free class beside the adapter: the settings that the adapter reads, or the
card it needs. A setting that an adapter does not read is an error in `models.toml`, not a silent no-op: that is how a
negative prompt, a guidance scale or a prompt rewriter spoils evidence. Ours lie in modules named `*_settings` below
`evidence.generators` and `*_card` below `evidence.scorers` and `evidence.judges`; a package of somebody else names its
module under the entry points `reversed_alignment.generators` or `reversed_alignment.scorers`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from ledger.problems import InputError, Problem

Setting = str | int | float | bool | None
PictureKind = Literal["plain", "wide"]
DIFFUSERS = ("torch", "diffusers", "transformers")


class Settings(BaseModel):
    """What an adapter of a generator reads, with types, bounds and defaults; a field without a default must be set."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    takes_pictures: ClassVar[bool] = False  # whether the pipeline can start from a picture

    def misuse(self, distilled: bool) -> Iterator[tuple[str, str]]:
        """Settings that would be ignored or do what nobody wants, each with the reason. `distilled`: the card says that
        its guidance was distilled away."""
        return iter(())


SettingsType = TypeVar("SettingsType", bound=type[BaseModel])


@dataclass(frozen=True)
class Adapter(Generic[SettingsType]):
    """`made_by` is module:class, imported when the first card is loaded; `settings` is torch-free."""

    name: str
    made_by: str
    settings: SettingsType
    packages: tuple[str, ...]
    remote: bool = False
    key: str = ""  # environment variable with the key of a remote service
    second_branch: str = ""  # setting that, above 1, has every step evaluated twice: classifier-free guidance

    @property
    def module(self) -> str:
        return self.made_by.partition(":")[0]

    def load(self) -> Any:
        """The class that does the work."""
        module, _, name = self.made_by.partition(":")
        return getattr(importlib.import_module(module), name)


class Registry(Mapping[str, Adapter[SettingsType]]):
    """Adapters by name, found when first asked for. InputError for a name taken twice or a package that fails."""

    def __init__(self, kind: str, suffix: str, *packages: str) -> None:
        self.group, self.suffix, self.packages = f"reversed_alignment.{kind}", suffix, packages
        self._known: dict[str, Adapter[SettingsType]] = {}
        self._complete = False

    def add(self, adapter: Adapter[SettingsType]) -> None:
        other = self._known.setdefault(adapter.name, adapter)
        if other.made_by != adapter.made_by:
            raise InputError(
                [Problem(adapter.module, 0, adapter.name, f"the name is taken by {other.made_by}: choose another")]
            )

    def __getitem__(self, name: str) -> Adapter[SettingsType]:
        return self._found()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found())

    def __len__(self) -> int:
        return len(self._found())

    def _found(self) -> dict[str, Adapter[SettingsType]]:
        if not self._complete:
            self._complete = True  # before the imports, which may ask
            for module in self._ours():
                importlib.import_module(module)
            for point in metadata.entry_points(group=self.group):
                _load(point)
        return self._known

    def _ours(self) -> Iterator[str]:
        for package in self.packages:
            for found in pkgutil.iter_modules(importlib.import_module(package).__path__):
                if found.name.endswith(self.suffix):
                    yield f"{package}.{found.name}"


def _load(point: metadata.EntryPoint) -> None:
    try:
        point.load()
    except InputError:
        raise
    except Exception as error:
        package = f"package {point.dist.name}" if point.dist else "an installed package"
        message = f"cannot be loaded ({type(error).__name__}: {error}): mend or uninstall the package"
        raise InputError([Problem(package, 0, f"{point.group}: {point.name}", message)]) from error


GENERATORS: Registry[type[Settings]] = Registry("generators", "_settings", "evidence.generators")
SCORERS: Registry[type[BaseModel]] = Registry("scorers", "_card", "evidence.scorers", "evidence.judges")

Decorated = TypeVar("Decorated", bound=type[BaseModel])


def generator(
    name: str,
    made_by: str,
    *,
    packages: tuple[str, ...] = DIFFUSERS,
    remote: bool = False,
    key: str = "",
    second_branch: str = "",
) -> Callable[[Decorated], Decorated]:
    """Registers an adapter of generators by its class of settings; `made_by` is module:class of what makes pictures
    (`evidence.interfaces.Generator`, called with card, settings and device)."""

    def register(settings: Decorated) -> Decorated:
        if not issubclass(settings, Settings):
            raise TypeError(f"{settings.__name__} is no evidence.registry.Settings")
        GENERATORS.add(Adapter(name, made_by, settings, packages, remote, key, second_branch))
        return settings

    return register


def scorer(
    name: str, made_by: str, *, packages: tuple[str, ...] = ("torch", "transformers")
) -> Callable[[Decorated], Decorated]:
    """Registers an adapter of scorers by its type of card (a subclass of `evidence.cards.scorers.ScorerCard`);
    `made_by` is module:class of what scores, called with card and device."""

    def register(card: Decorated) -> Decorated:
        SCORERS.add(Adapter(name, made_by, card, packages))
        return card

    return register
