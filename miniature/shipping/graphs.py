"""The miniature's models as ONNX graphs, written from their packed weights and their configurations.

The counterparts of T5EncoderModel, CLIPTextModel, FluxTransformer2DModel, AutoencoderKL's decoder and TinyDecoder, with
the same names of weights; `tests/miniature` compares each with the stock class. Picture size and length of the text are
fixed, the batch of texts and of the transformer is not. The low-rank differences of all aligned variants are added to
the linear layers; inputs say which of their ranks take part, and how strongly, and only these cost time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from miniature.shipping.onnx_graph import Graph

Packed = Mapping[str, np.ndarray]
Config = Mapping[str, Any]

TIME_WAVES = 256  # numbers that tell the transformer where between noise and picture it is


# --- pieces -----------------------------------------------------------------------------------------------------------


def _linear(g: Graph, x: str, name: str) -> str:
    y = g.op("MatMul", x, g.op("Transpose", g.weight(f"{name}.weight"), perm=(1, 0)))
    return g.op("Add", y, g.weight(f"{name}.bias")) if f"{name}.bias" in g.packed else y


def _ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def _silu(g: Graph, x: str) -> str:
    return g.op("Mul", x, g.op("Sigmoid", x))


def _gelu(g: Graph, x: str) -> str:
    return g.op("Gelu", x, approximate="tanh")


def _root_mean_square_norm(g: Graph, x: str, name: str, epsilon: float) -> str:
    mean = g.op("ReduceMean", g.op("Mul", x, x), _ints(-1))
    return g.op("Mul", g.op("Div", x, g.op("Sqrt", g.op("Add", mean, epsilon))), g.weight(f"{name}.weight"))


def _layer_norm(g: Graph, x: str, name: str, epsilon: float) -> str:
    return g.op("LayerNormalization", x, g.weight(f"{name}.weight"), g.weight(f"{name}.bias"), epsilon=epsilon)


def _heads(g: Graph, x: str, count: int) -> str:
    """(n, length, width) -> (n, length, heads, width of a head)"""
    return g.op("Reshape", x, _ints(0, 0, count, -1))


def _attend(g: Graph, query: str, key: str, value: str, scale: float, bias: str | np.ndarray | None = None) -> str:
    """Attention over (n, length, heads, width of a head); (n, length, width)."""
    query = g.op("Transpose", g.op("Mul", query, scale) if scale != 1 else query, perm=(0, 2, 1, 3))
    logits = g.op("MatMul", query, g.op("Transpose", key, perm=(0, 2, 3, 1)))
    if bias is not None:
        logits = g.op("Add", logits, bias)
    seen = g.op("MatMul", g.op("Softmax", logits, axis=-1), g.op("Transpose", value, perm=(0, 2, 1, 3)))
    return g.op("Reshape", g.op("Transpose", seen, perm=(0, 2, 1, 3)), _ints(0, 0, -1))


# --- text -------------------------------------------------------------------------------------------------------------


def t5(packed: Packed, config: Config, length: int) -> bytes:
    """ids int64 (n, length) -> states (n, length, width). Padding is not masked, as in FluxPipeline."""
    g, epsilon, heads = Graph(packed), config["layer_norm_epsilon"], config["num_heads"]
    x = g.op("Gather", g.weight("shared.weight"), g.input("ids", "int64", ("n", length)))
    table = g.weight("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight")
    bias = g.op("Transpose", g.op("Gather", table, _buckets(config, length)), perm=(2, 0, 1))
    for block in range(config["num_layers"]):
        at = f"encoder.block.{block}.layer"
        y = _root_mean_square_norm(g, x, f"{at}.0.layer_norm", epsilon)
        query, key, value = (_heads(g, _linear(g, y, f"{at}.0.SelfAttention.{one}"), heads) for one in "qkv")
        x = g.op("Add", x, _linear(g, _attend(g, query, key, value, 1, bias), f"{at}.0.SelfAttention.o"))
        y = _root_mean_square_norm(g, x, f"{at}.1.layer_norm", epsilon)
        gate = _gelu(g, _linear(g, y, f"{at}.1.DenseReluDense.wi_0"))
        y = g.op("Mul", gate, _linear(g, y, f"{at}.1.DenseReluDense.wi_1"))
        x = g.op("Add", x, _linear(g, y, f"{at}.1.DenseReluDense.wo"))
    x = _root_mean_square_norm(g, x, "encoder.final_layer_norm", epsilon)
    g.output("states", x, ("n", length, config["d_model"]))
    return g.serialise()


def _buckets(config: Config, length: int) -> np.ndarray:
    """Which learned bias holds between two positions: exact nearby, logarithmic far away, each direction its half."""
    half = config["relative_attention_num_buckets"] // 2
    exact = half // 2
    distance = np.arange(length)[None, :] - np.arange(length)[:, None]
    far = np.log(np.maximum(np.abs(distance), 1) / exact) / np.log(config["relative_attention_max_distance"] / exact)
    far_bucket = np.minimum(exact + (far * (half - exact)).astype(np.int64), half - 1)
    buckets: np.ndarray = half * (distance > 0) + np.where(np.abs(distance) < exact, np.abs(distance), far_bucket)
    return buckets


def clip_text(packed: Packed, config: Config, length: int) -> bytes:
    """ids int64 (n, length) -> pooled (n, width): the state at the first end mark."""
    g, epsilon, heads = Graph(packed), config["layer_norm_eps"], config["num_attention_heads"]
    ids, width = g.input("ids", "int64", ("n", length)), config["hidden_size"]
    x = g.op("Gather", g.weight("text_model.embeddings.token_embedding.weight"), ids)
    x = g.op("Add", x, g.weight("text_model.embeddings.position_embedding.weight"))
    causal = np.triu(np.full((length, length), np.finfo(np.float32).min, np.float32), 1)
    for layer in range(config["num_hidden_layers"]):
        at = f"text_model.encoder.layers.{layer}"
        y = _layer_norm(g, x, f"{at}.layer_norm1", epsilon)
        query, key, value = (_heads(g, _linear(g, y, f"{at}.self_attn.{one}_proj"), heads) for one in "qkv")
        y = _attend(g, query, key, value, (width // heads) ** -0.5, causal)
        x = g.op("Add", x, _linear(g, y, f"{at}.self_attn.out_proj"))
        y = _linear(g, _layer_norm(g, x, f"{at}.layer_norm2", epsilon), f"{at}.mlp.fc1")
        y = g.op("Mul", y, g.op("Sigmoid", g.op("Mul", y, 1.702)))
        x = g.op("Add", x, _linear(g, y, f"{at}.mlp.fc2"))
    x = _layer_norm(g, x, "text_model.final_layer_norm", epsilon)
    ends = g.op("Cast", g.op("Equal", ids, _ints(config["eos_token_id"])), to=1)
    pooled = g.op("GatherND", x, g.op("ArgMax", ends, axis=1, keepdims=1), batch_dims=1)
    g.output("pooled", pooled, ("n", width))
    return g.serialise()


# --- transformer ------------------------------------------------------------------------------------------------------


class _Flux:
    """One transformer being written: its graph, its variants, what all its blocks read."""

    def __init__(self, packed: Packed, config: Config, arms: Sequence[str], length: int, side: int) -> None:
        self.g, self.arms, self.length = Graph(packed), arms, length
        self.heads, self.head = config["num_attention_heads"], config["attention_head_dim"]
        self.width = self.heads * self.head
        self.ones, self.zeros = self.g.constant(np.ones(self.width)), self.g.constant(np.zeros(self.width))
        angles = _rotation(config["axes_dims_rope"], length, side)
        self.cosine, self.sine = (self.g.constant(wave[:, None]) for wave in (np.cos(angles), np.sin(angles)))
        self.places = self.g.input("places", "int64", ("k",))
        self.strength = self.g.input("strength", "float32", ("k",))

    def linear(self, x: str, name: str) -> str:
        """A linear layer with the chosen ranks of the variants' differences."""
        g, plain = self.g, _linear(self.g, x, name)
        if not self.arms or f"{self.arms[0]}/{name}.lora_A.weight" not in g.packed:
            return plain
        sides = (("A", 0), ("B", 1))
        down, up = (
            g.op("Gather", g.op("Concat", *self.factors(name, side), axis=axis), self.places, axis=axis)
            for side, axis in sides
        )
        low = g.op("Mul", g.op("MatMul", x, g.op("Transpose", down, perm=(1, 0))), self.strength)
        return g.op("Add", plain, g.op("MatMul", low, g.op("Transpose", up, perm=(1, 0))))

    def factors(self, name: str, side: str) -> list[str]:
        return [self.g.weight(f"{arm}/{name}.lora_{side}.weight") for arm in self.arms]

    def modulations(self, told: str, name: str, parts: int) -> list[str]:
        """Shifts, scales and gates (n, 1, width) from time and pooled text."""
        y = self.g.op("Unsqueeze", _linear(self.g, _silu(self.g, told), name), _ints(1))
        return self.g.split(y, parts)

    def modulated(self, x: str, shift: str, scale: str) -> str:
        g = self.g
        y = g.op("LayerNormalization", x, self.ones, self.zeros, epsilon=1e-6)
        return g.op("Add", g.op("Mul", y, g.op("Add", scale, 1.0)), shift)

    def read(self, x: str, at: str, names: Sequence[str], norms: Sequence[str]) -> list[str]:
        """Query, key and value, the first two normalised."""
        parts = [_heads(self.g, self.linear(x, f"{at}.{name}"), self.heads) for name in names]
        normed = zip(parts, norms, strict=False)
        return [_root_mean_square_norm(self.g, part, f"{at}.{norm}", 1e-6) for part, norm in normed] + parts[2:]

    def turned(self, x: str) -> str:
        """Rotary position embedding: pairs of neighbouring channels are turned."""
        g = self.g
        pairs = g.op("Reshape", x, _ints(0, 0, self.heads, self.head // 2, 2))
        one, other = (g.op("Squeeze", part, _ints(-1)) for part in g.split(pairs, 2))
        first = g.op("Sub", g.op("Mul", one, self.cosine), g.op("Mul", other, self.sine))
        second = g.op("Add", g.op("Mul", other, self.cosine), g.op("Mul", one, self.sine))
        both = g.op("Concat", *(g.op("Unsqueeze", part, _ints(-1)) for part in (first, second)), axis=-1)
        return g.op("Reshape", both, _ints(0, 0, self.heads, self.head))

    def attend(self, query: str, key: str, value: str) -> str:
        return _attend(self.g, self.turned(query), self.turned(key), value, self.head**-0.5)

    def gated(self, x: str, gate: str, y: str) -> str:
        return self.g.op("Add", x, self.g.op("Mul", gate, y))

    def cut(self, x: str) -> tuple[str, str]:
        """Text and picture of a joint sequence."""
        ends = _ints(0, self.length, np.iinfo(np.int64).max)
        text, picture = (self.g.op("Slice", x, ends[at : at + 1], ends[at + 1 : at + 2], _ints(1)) for at in (0, 1))
        return text, picture

    def double(self, at: str, text: str, picture: str, told: str) -> tuple[str, str]:
        """A block in which text and picture have weights of their own and attend to each other."""
        g = self.g
        streams = {"picture": picture, "text": text}
        norms = {"picture": "norm1", "text": "norm1_context"}
        wide = {kind: self.modulations(told, f"{at}.{norm}.linear", 6) for kind, norm in norms.items()}
        seen = {kind: self.modulated(streams[kind], shift, scale) for kind, (shift, scale, *_) in wide.items()}
        one = self.read(seen["picture"], f"{at}.attn", ("to_q", "to_k", "to_v"), ("norm_q", "norm_k"))
        names = ("add_q_proj", "add_k_proj", "add_v_proj")
        other = self.read(seen["text"], f"{at}.attn", names, ("norm_added_q", "norm_added_k"))
        joint = self.attend(*(g.op("Concat", *pair, axis=1) for pair in zip(other, one, strict=True)))
        came = dict(zip(("text", "picture"), self.cut(joint), strict=True))
        ways = {"picture": ("to_out.0", "ff"), "text": ("to_add_out", "ff_context")}
        for kind, (out, feed) in ways.items():
            _, _, gate, shift, scale, feed_gate = wide[kind]
            x = self.gated(streams[kind], gate, self.linear(came[kind], f"{at}.attn.{out}"))
            y = _gelu(g, self.linear(self.modulated(x, shift, scale), f"{at}.{feed}.net.0.proj"))
            streams[kind] = self.gated(x, feed_gate, self.linear(y, f"{at}.{feed}.net.2"))
        return streams["text"], streams["picture"]

    def single(self, at: str, x: str, told: str) -> str:
        """A block over the joint sequence, attention and feed-forward side by side."""
        shift, scale, gate = self.modulations(told, f"{at}.norm.linear", 3)
        y = self.modulated(x, shift, scale)
        wide = _gelu(self.g, self.linear(y, f"{at}.proj_mlp"))
        seen = self.attend(*self.read(y, f"{at}.attn", ("to_q", "to_k", "to_v"), ("norm_q", "norm_k")))
        return self.gated(x, gate, self.linear(self.g.op("Concat", seen, wide, axis=-1), f"{at}.proj_out"))


def transformer(packed: Packed, config: Config, arms: Sequence[str], length: int, side: int) -> bytes:
    """packed (n, side * side, channels), waves (1, 256), states, pooled, places (k) among the variants' ranks side by
    side, strength (k) of each -> velocity.

    `packed` also holds the variants' factors, as `{arm}/{layer}.lora_A.weight`.
    """
    flux = _Flux(packed, config, arms, length, side)
    g, channels, positions = flux.g, config["in_channels"], side * side
    picture = _linear(g, g.input("packed", "float32", ("n", positions, channels)), "x_embedder")
    states = g.input("states", "float32", ("n", length, config["joint_attention_dim"]))
    text = _linear(g, states, "context_embedder")
    told = g.op(
        "Add",
        _perceptron(g, g.input("waves", "float32", (1, TIME_WAVES)), "time_text_embed.timestep_embedder"),
        _perceptron(
            g, g.input("pooled", "float32", ("n", config["pooled_projection_dim"])), "time_text_embed.text_embedder"
        ),
    )
    for block in range(config["num_layers"]):
        text, picture = flux.double(f"transformer_blocks.{block}", text, picture, told)
    x = g.op("Concat", text, picture, axis=1)
    for block in range(config["num_single_layers"]):
        x = flux.single(f"single_transformer_blocks.{block}", x, told)
    scale, shift = flux.modulations(told, "norm_out.linear", 2)
    picture = _linear(g, flux.modulated(flux.cut(x)[1], shift, scale), "proj_out")
    g.output("velocity", picture, ("n", positions, channels))
    return g.serialise()


def _perceptron(g: Graph, x: str, name: str) -> str:
    return _linear(g, _silu(g, _linear(g, x, f"{name}.linear_1")), f"{name}.linear_2")


def ranks(packed: Packed, arms: Sequence[str]) -> list[int]:
    """How many places of `strength` each variant has."""
    firsts = [
        next(key for key in packed if key.startswith(f"{arm}/") and key.endswith(".lora_A.weight")) for arm in arms
    ]
    return [len(packed[first]) for first in firsts]


def _rotation(axes: Sequence[int], length: int, side: int) -> np.ndarray:
    """Angles (length + side * side, half the width of a head): text at place 0, pictures by row and column."""
    places = np.zeros((length + side * side, len(axes)))
    places[length:, 1], places[length:, 2] = np.divmod(np.arange(side * side), side)
    speeds = [10000.0 ** -(np.arange(0, size, 2) / size) for size in axes]
    return np.concatenate([places[:, [axis]] * speed for axis, speed in enumerate(speeds)], 1)


# --- decoders ---------------------------------------------------------------------------------------------------------


def _convolution(g: Graph, x: str, name: str) -> str:
    around = g.packed[f"{name}.weight"].shape[-1] // 2
    return g.op("Conv", x, g.weight(f"{name}.weight"), g.weight(f"{name}.bias"), pads=(around,) * 4)


def _twice(g: Graph, x: str) -> str:
    scales = np.array([1, 1, 2, 2], np.float32)
    way = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return g.op("Resize", x, "", scales, **way)


def _unpacked(g: Graph, channels: int, side: int) -> str:
    """Input `packed` (1, side * side, 4 channels) as a latent picture (1, channels, 2 side, 2 side)."""
    packed = g.input("packed", "float32", (1, side * side, 4 * channels))
    squares = g.op("Reshape", packed, _ints(1, side, side, channels, 2, 2))
    return g.op("Reshape", g.op("Transpose", squares, perm=(0, 3, 1, 4, 2, 5)), _ints(1, channels, 2 * side, 2 * side))


def _group_norm(g: Graph, x: str, name: str, groups: int) -> str:
    flat = g.op("Reshape", x, _ints(0, groups, -1))
    even = g.op("InstanceNormalization", flat, np.ones(groups), np.zeros(groups), epsilon=1e-6)
    weight, bias = (g.op("Reshape", g.weight(f"{name}.{part}"), _ints(1, -1, 1, 1)) for part in ("weight", "bias"))
    return g.op("Add", g.op("Mul", g.op("Reshape", even, g.op("Shape", x)), weight), bias)


def decoder(packed: Packed, config: Config, side: int) -> bytes:
    """packed (1, side * side, 4 channels), as the sampler leaves it -> picture (1, 3, size, size) in -1..1."""
    g, groups = Graph(packed), config["norm_num_groups"]
    x = _unpacked(g, config["latent_channels"], side)
    x = g.op("Add", g.op("Mul", x, 1 / config["scaling_factor"]), config["shift_factor"])

    def residual(x: str, at: str) -> str:
        y = _convolution(g, _silu(g, _group_norm(g, x, f"{at}.norm1", groups)), f"{at}.conv1")
        y = _convolution(g, _silu(g, _group_norm(g, y, f"{at}.norm2", groups)), f"{at}.conv2")
        narrow = f"{at}.conv_shortcut"
        return g.op("Add", _convolution(g, x, narrow) if f"{narrow}.weight" in packed else x, y)

    x = _convolution(g, x, "decoder.conv_in")
    for resnet in range(2):
        x = residual(x, f"decoder.mid_block.resnets.{resnet}")
    for block in range(len(config["block_out_channels"])):
        at = f"decoder.up_blocks.{block}"
        for resnet in range(config["layers_per_block"] + 1):
            x = residual(x, f"{at}.resnets.{resnet}")
        if f"{at}.upsamplers.0.conv.weight" in packed:
            x = _convolution(g, _twice(g, x), f"{at}.upsamplers.0.conv")
    x = _convolution(g, _silu(g, _group_norm(g, x, "decoder.conv_norm_out", groups)), "decoder.conv_out")
    return _picture(g, x, side)


def tiny_decoder(packed: Packed, side: int) -> bytes:
    """The same by the small decoder of `miniature.training.tiny_decoder`."""
    g = Graph(packed)
    channels = packed["enter.weight"].shape[1]
    x = g.op("Relu", _convolution(g, _unpacked(g, channels, side), "enter"))
    tone = _linear(g, g.op("ReduceMean", x, _ints(2, 3), keepdims=0), "tone")
    x = g.op("Mul", x, g.op("Unsqueeze", g.op("Add", tone, 1.0), _ints(2, 3)))
    levels = 1 + len([key for key in packed if key.startswith("grow.") and key.endswith(".bias")])
    for level in range(levels):
        if level:
            x = g.op("Relu", _convolution(g, _twice(g, x), f"grow.{level - 1}"))
        for block in range(
            len([key for key in packed if key.startswith(f"blocks.{level}.") and key.endswith("first.bias")])
        ):
            at = f"blocks.{level}.{block}"
            y = _convolution(g, g.op("Relu", _convolution(g, x, f"{at}.first")), f"{at}.second")
            x = g.op("Relu", g.op("Add", x, y))
    x = g.op("DepthToSpace", _convolution(g, x, "leave"), blocksize=2, mode="CRD")
    return _picture(g, x, side)


def _picture(g: Graph, x: str, side: int) -> bytes:
    g.output("picture", x, (1, 3, 16 * side, 16 * side))
    return g.serialise()
