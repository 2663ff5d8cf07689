"""A small writer of ONNX files: operators are called one after another, weights stay as they were packed.

Only what inference graphs need of the format (https://onnx.ai/onnx/repo-docs/IR.html), written as protocol buffers by
hand: neither torch nor the onnx package is needed to publish a model. An int8 weight is stored as int8 and multiplied
by its scale inside the graph, which gives the very float32 numbers that `restore` gives.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np

from miniature.shipping.pack import SCALE

OPSET, IR_VERSION = 20, 10
TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int64": 7, "float16": 10}
FLOAT, INT, STRING, INTS = 1, 2, 3, 7  # kinds of attributes

Shape = Sequence[int | str]  # a name stands for a size that is known only when the graph runs


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _field(number: int, value: int | float | str | bytes) -> bytes:
    """One field of a message; its wire type follows from the type of `value`."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    if isinstance(value, float):
        return _varint(number << 3 | 5) + struct.pack("<f", value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _attribute(name: str, value: int | float | str | Sequence[int]) -> bytes:
    head = _field(1, name)
    if isinstance(value, int):
        return head + _field(3, value) + _field(20, INT)
    if isinstance(value, float):
        return head + _field(2, value) + _field(20, FLOAT)
    if isinstance(value, str):
        return head + _field(4, value) + _field(20, STRING)
    return head + b"".join(_field(8, one) for one in value) + _field(20, INTS)


def _tensor(name: str, array: np.ndarray) -> bytes:
    dims = b"".join(_field(1, size) for size in array.shape)
    return dims + _field(2, TYPES[array.dtype.name]) + _field(8, name) + _field(9, array.tobytes())


def _value_info(name: str, kind: str, shape: Shape) -> bytes:
    sizes = (_field(1, one) if isinstance(one, int) else _field(2, one) for one in shape)
    tensor = _field(1, TYPES[kind]) + _field(2, b"".join(_field(1, size) for size in sizes))
    return _field(1, name) + _field(2, _field(1, tensor))


class Graph:
    """A graph that grows by `op`; values are known by name. `packed` holds tensors as `pack.quantise` made them."""

    def __init__(self, packed: Mapping[str, np.ndarray]) -> None:
        self.packed = packed
        self._nodes: list[bytes] = []
        self._tensors: dict[str, np.ndarray] = {}
        self._restored: dict[str, str] = {}
        self._inputs: list[bytes] = []
        self._outputs: list[bytes] = []
        self._count = 0

    def input(self, name: str, kind: str, shape: Shape) -> str:
        self._inputs.append(_value_info(name, kind, shape))
        return name

    def output(self, name: str, value: str, shape: Shape, kind: str = "float32") -> None:
        self._nodes.append(_field(1, value) + _field(2, name) + _field(4, "Identity"))
        self._outputs.append(_value_info(name, kind, shape))

    def op(self, kind: str, *inputs: str | float | np.ndarray, **attributes: int | float | str | Sequence[int]) -> str:
        """Name of the result of one operator. Numbers and arrays among `inputs` become constants; "" leaves one out."""
        return self._node(kind, inputs, attributes, 1)[0]

    def split(self, value: str, parts: int, axis: int = -1) -> list[str]:
        return self._node("Split", (value,), {"axis": axis, "num_outputs": parts}, parts)

    def weight(self, name: str) -> str:
        """A packed tensor, float32."""
        if name not in self._restored:
            value = self._store(name, self.packed[name])
            if self.packed[name].dtype != np.float32:
                value = self.op("Cast", value, to=TYPES["float32"])
            if name + SCALE in self.packed:
                value = self.op("Mul", value, self.op("Cast", self._scale(name), to=TYPES["float32"]))
            self._restored[name] = value
        return self._restored[name]

    def constant(self, value: float | np.ndarray) -> str:
        array = np.asarray(value)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        return self._store(f"c{len(self._tensors)}", array)

    def serialise(self) -> bytes:
        """The file."""
        body = [_field(1, node) for node in self._nodes] + [_field(2, "miniature")]
        body += [_field(5, _tensor(name, array)) for name, array in self._tensors.items()]
        body += [_field(11, one) for one in self._inputs] + [_field(12, one) for one in self._outputs]
        return _field(1, IR_VERSION) + _field(7, b"".join(body)) + _field(8, _field(2, OPSET))

    def _scale(self, name: str) -> str:
        """The stored scale, a row or a column, in a shape that multiplies the weight."""
        shape, scale = self.packed[name].shape, self.packed[name + SCALE]
        by_row = scale.shape[1] == 1
        return self._store(name + SCALE, scale.reshape((-1, *[1] * (len(shape) - 1)) if by_row else (1, *shape[1:])))

    def _store(self, name: str, array: np.ndarray) -> str:
        self._tensors[name] = np.ascontiguousarray(array)
        return name

    def _node(
        self, kind: str, inputs: Sequence[str | float | np.ndarray],
        attributes: Mapping[str, int | float | str | Sequence[int]], results: int,
    ) -> list[str]:  # fmt: skip
        names = [one if isinstance(one, str) else self.constant(one) for one in inputs]
        made = [f"v{self._count + number}" for number in range(results)]
        self._count += results
        node = b"".join(_field(1, name) for name in names) + b"".join(_field(2, name) for name in made)
        node += _field(4, kind) + b"".join(_field(5, _attribute(*one)) for one in attributes.items())
        self._nodes.append(node)
        return made
