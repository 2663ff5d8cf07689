"""content/pictures.lock.json: the bytes of every remote picture, and the groups of rights that the publisher accepts.

A picture is shown when its group is free or accepted, and the file in .cache/remote/ holds the pinned bytes; they are
hashed at every build. A pin belongs to an address: under another address stands another picture, which is not shown
before it was fetched.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import Field, StringConstraints, model_validator

from ledger import Ledger
from ledger.files import replace_text
from ledger.problems import JsonPath, Problem, did_you_mean, json_line, spell
from ledger.schema import Picture, Remote, Sha256, Strict, Text
from ledger.sources import Source
from ledger.text import read_json_as

LOCK = "content/pictures.lock.json"
FOLDER = ".cache/remote"  # below the root of a project
AGAIN = "run `python build.py fetch`"


class Pin(Strict):
    """What was fetched from `url`."""

    url: str = Field(min_length=1)
    sha256: Sha256
    bytes: int = Field(gt=0)
    file: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{20}\.[a-z0-9]+$")]  # below .cache/remote/

    @model_validator(mode="after")
    def _is_named_by_hash(self) -> Pin:
        if not self.sha256.startswith(self.file.partition(".")[0]):
            raise ValueError("file is not named by the beginning of sha256")
        return self


class Lock(Strict):
    accepted: list[str] = Field(default_factory=list)  # groups of rights, as "source/group"
    pictures: dict[str, Pin] = Field(default_factory=dict)  # by "exhibit/picture"


def read_lock(root: Path) -> Lock:
    """The lock of the project; an empty one where nothing was fetched yet."""
    try:
        return read_json_as(Lock, root / LOCK, root)[1]
    except FileNotFoundError:
        return Lock()


def write_lock(root: Path, lock: Lock) -> None:
    content = lock.model_dump(exclude_defaults=True)
    replace_text(root / LOCK, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


class RemotePicture(NamedTuple):
    """A picture of the ledger that is not shipped, and its place there."""

    name: str  # "exhibit/picture"
    path: tuple[str | int, ...]
    remote: Remote

    @property
    def group(self) -> str:
        return f"{self.remote.source}/{self.remote.group}" if self.remote.source else ""

    def may_be_shown(self, lock: Lock) -> bool:
        return self.remote.shown == "free" or self.group in lock.accepted

    def pin(self, lock: Lock) -> Pin | None:
        """What the lock pins for this picture as the ledger has it now."""
        pin = lock.pictures.get(self.name)
        if pin is None or pin.url != self.remote.url or self.remote.sha256 not in (None, pin.sha256):
            return None
        return pin


def remote_pictures(known: Ledger) -> Iterator[RemotePicture]:
    for id, exhibit in known.exhibits.items():
        for index, picture in enumerate(exhibit.pictures):
            if picture.remote is not None and picture.file is None:
                path = ("exhibits", id, "pictures", index, "remote")
                yield RemotePicture(f"{id}/{picture.id}", path, picture.remote)


def sha256_of(file: Path) -> str:
    """Of the bytes of a file; empty when there is none."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


@dataclass
class AtHand:
    """Remote pictures and texts as this machine has them."""

    files: dict[str, str] = field(default_factory=dict)  # "exhibit/picture" -> path below the root
    prompts: dict[str, str] = field(default_factory=dict)
    pinned: set[str] = field(default_factory=set)
    accepted: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def at_hand(root: Path, known: Ledger, sources: Mapping[str, Source]) -> AtHand:
    """What may be shown, every byte of it verified. Damaged or exchanged files are problems, with the pin's line."""
    lock = read_lock(root)
    found = AtHand(accepted=tuple(lock.accepted), problems=list(_unknown_groups(root, lock, sources)))
    documents: dict[str, Any] = {}
    for picture in remote_pictures(known):
        pin = picture.pin(lock)
        if pin is not None or picture.remote.sha256:
            found.pinned.add(picture.name)
        elif picture.name in lock.pictures:
            found.notes.append(f"{picture.name}: its address changed since it was fetched: {AGAIN}")
        if not picture.may_be_shown(lock):
            continue
        if pin is not None and (root / FOLDER / pin.file).exists():
            if (wrong := _differs(root / FOLDER / pin.file, pin)) is None:
                found.files[picture.name] = f"{FOLDER}/{pin.file}"
            else:
                found.problems.append(lock_problem(root, ("pictures", picture.name), wrong))
        if picture.remote.prompt is not None:
            _read_prompt(root, known, picture, picture.remote.prompt, documents, found)
    return found


def _unknown_groups(root: Path, lock: Lock, sources: Mapping[str, Source]) -> Iterator[Problem]:
    groups = group_names(sources)
    for index, name in enumerate(lock.accepted):
        if name not in groups:
            yield lock_problem(root, ("accepted", index), f"no group '{name}'{did_you_mean(name, groups)}")


def group_names(sources: Mapping[str, Source]) -> list[str]:
    """ "source/group" of every group of rights."""
    return [f"{name}/{group}" for name, source in sources.items() for group in source.groups]


def lock_problem(root: Path, path: JsonPath, message: str) -> Problem:
    text = (root / LOCK).read_text(encoding="utf-8-sig")
    return Problem(LOCK, json_line(text, path), spell(path), message)


def _differs(file: Path, pin: Pin) -> str | None:
    """How a file at hand differs from what is pinned."""
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() == pin.sha256:
        return None
    what = "is empty" if not content else f"has {len(content)} of {pin.bytes} bytes"
    if len(content) == pin.bytes:
        what = "holds other bytes than were pinned"
    return f"{FOLDER}/{file.name} {what}: {AGAIN}, or delete it"


def text_file(text: Text) -> str:
    """Where a file with texts of others lies, below the root."""
    return f"{FOLDER}/{text.sha256[:20]}.json"


def _read_prompt(
    root: Path, known: Ledger, picture: RemotePicture, text: Text, documents: dict[str, Any], found: AtHand
) -> None:
    file = text_file(text)
    if not (root / file).exists():
        return
    if sha256_of(root / file) != text.sha256:
        message = f"{file} holds other bytes than are pinned here: {AGAIN}, or delete it"
        found.problems.append(known.problem((*picture.path, "prompt", "sha256"), message))
        return
    try:
        if file not in documents:
            documents[file] = json.loads((root / file).read_bytes())
        found.prompts[picture.name] = pointed_at(documents[file], text.pointer)
    except (ValueError, RecursionError) as error:
        found.problems.append(known.problem((*picture.path, "prompt", "pointer"), f"'{text.file}': {error}"))


def pointed_at(document: Any, pointer: str) -> str:
    """The text at a JSON pointer (RFC 6901). ValueError where there is none."""
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        try:
            document = document[int(step)] if isinstance(document, Sequence) else document[step]
        except (KeyError, IndexError, ValueError, TypeError):
            raise ValueError(f"nothing stands at '{pointer}'") from None
    if not isinstance(document, str):
        raise ValueError(f"no text stands at '{pointer}'")
    return document


def with_prompts(known: Ledger, prompts: Mapping[str, str]) -> None:
    """Gives pictures the prompts that were fetched with them, to the letter."""

    def filled(id: str, picture: Picture) -> Picture:
        prompt = prompts.get(f"{id}/{picture.id}")
        return picture if prompt is None else picture.model_copy(update={"prompt": prompt})

    for id in {name.partition("/")[0] for name in prompts}:
        exhibit = known.exhibits[id]
        pictures = [filled(id, picture) for picture in exhibit.pictures]
        known.exhibits[id] = exhibit.model_copy(update={"pictures": pictures})
