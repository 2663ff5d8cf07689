"""Tensors out of a pickled torch module, without running anything that the file names.

`torch.load` of a whole module imports and calls whatever the pickle says. Here only tensors, containers and numbers are
rebuilt; classes of known model libraries become inert stand-ins that merely hold their attributes; any other name
(`os.system`, `builtins.eval`, ...) is refused. Format: the zip archive that torch has written since 1.6.
"""

from __future__ import annotations

import collections
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evidence.scorers.base import State, complain

_STAND_INS = frozenset(
    ("trainer", "torch", "transformers", "tokenizers", "accelerate", "dataclasses", "functools", "omegaconf", "hydra")
)
_CONTAINERS = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("collections", "defaultdict"): lambda *_: {},
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("builtins", "dict"): dict,
    ("builtins", "list"): list,
    ("torch", "Size"): tuple,
}
_STORAGES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "BoolStorage": torch.bool,
    "ByteStorage": torch.uint8,
}


class StandIn:
    """Holds the attributes of an object whose class is not loaded. Calling or building it does nothing else."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __setstate__(self, state: object) -> None:
        parts = state if isinstance(state, tuple) else (state,)
        for part in parts:
            if isinstance(part, dict):
                self.__dict__.update({str(name): value for name, value in part.items()})

    def __setitem__(self, key: object, value: object) -> None: ...

    def append(self, value: object) -> None: ...

    def extend(self, values: object) -> None: ...


def _tensor(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> Tensor:
    reach = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if 0 not in size else -1
    if offset < 0 or min(stride, default=0) < 0 or reach >= storage.numel():
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    return storage.as_strided(size, stride, offset)


_REBUILDERS = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
}


class _Reader(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile, top: str) -> None:
        super().__init__(archive.open(f"{top}/data.pkl"), encoding="utf-8")
        self.archive, self.top = archive, top
        self.storages = dict[str, Tensor]()

    def find_class(self, module: str, name: str) -> Any:
        module = {"__builtin__": "builtins"}.get(module, module)
        if (module, name) in _REBUILDERS:
            return _REBUILDERS[module, name]
        if (module, name) in _CONTAINERS:
            return _CONTAINERS[module, name]
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        if module.split(".")[0] in _STAND_INS:
            return type(name, (StandIn,), {"__module__": module})
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is neither a tensor nor part of a model")

    def persistent_load(self, pid: Any) -> Tensor:
        kind, dtype, key, _, length = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype):
            raise pickle.UnpicklingError(f"it refers to {kind!r}, which is not a storage of tensors")
        if key not in self.storages:
            raw = bytearray(self.archive.read(f"{self.top}/data/{key}"))
            self.storages[key] = torch.frombuffer(raw, dtype=dtype, count=length) if length else torch.empty(0)
        return self.storages[key]


def module_state(path: Path) -> State:
    """State dict of the module pickled in `path`: parameters and persistent buffers by their dotted names.

    Raises InputError where the file is no torch archive or names something that is refused; nothing of it has run."""
    try:
        with zipfile.ZipFile(path) as archive:
            top = archive.namelist()[0].split("/")[0]
            module = _Reader(archive, top).load()
    except (zipfile.BadZipFile, pickle.UnpicklingError, KeyError, EOFError, IndexError, ValueError, TypeError) as error:
        complain(path, [("", f"refused: {error}")])
        raise
    state: State = {}
    _collect(module, "", state)
    if not state:
        complain(path, [("", "holds no module with tensors")])
    return state


def _collect(module: Any, prefix: str, state: State) -> None:
    held = getattr(module, "__dict__", {})
    dropped = held.get("_non_persistent_buffers_set", ())
    for group in ("_parameters", "_buffers"):
        for name, tensor in (held.get(group) or {}).items():
            if isinstance(tensor, Tensor) and not (group == "_buffers" and name in dropped):
                state[prefix + name] = tensor
    for name, child in (held.get("_modules") or {}).items():
        _collect(child, f"{prefix}{name}.", state)
