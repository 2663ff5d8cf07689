"""CLIP and the preference models that keep its shape: CLIP-L, PickScore, HPS v1, HPSv2.1, the miniature's encoders.

A score is the cosine of picture and prompt, times exp(logit_scale) where the card says so. Directories are stock
CLIPModel directories; single files are the layouts of OpenAI's clip package (align_sd's hpc.pth) and of open_clip
(HPSv2), whose keys are renamed into the stock class. Checked against HPSv2's own code (tests/evidence/golden).
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ftfy
import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor
from torch.nn.functional import normalize
from transformers import AutoTokenizer, CLIPConfig, CLIPImageProcessorPil, CLIPModel

from evidence.interfaces import Score
from evidence.scorers.base import (
    LocalScorer,
    State,
    base_of,
    build,
    complain,
    file_of,
    fit,
    open_model,
    read_state,
    weights_of,
    without_control,
)
from evidence.scorers.clip_card import ClipCard, ClipCheckpointCard
from evidence.scorers.framing import cropped, padded


def unchanged(text: str) -> str:
    return text


def cleaned(text: str) -> str:
    """As the tokenizers of OpenAI's clip and of open_clip clean a prompt, which the stock tokenizer does not: mojibake,
    curly quotes and full-width letters mended, entities of HTML read, also those that were escaped twice."""
    return html.unescape(html.unescape(ftfy.fix_text(text))).strip()


class TextWindow:
    """Token ids of prompts in a fixed window, padded and cut as CLIP does it (the end token survives a cut)."""

    def __init__(self, folder: Path, length: int, clean: Callable[[str], str] = unchanged) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        self.length, self.clean = length, clean

    def ids(self, prompts: Sequence[str]) -> Tensor:
        """(prompts, length) int64."""
        tokens = self.tokenizer(
            without_control([self.clean(prompt) for prompt in prompts], self.tokenizer),
            padding="max_length",
            max_length=self.length,
            truncation=True,
            return_tensors="pt",
        )
        found: Tensor = tokens.input_ids
        return found

    def count(self, prompt: str) -> int:
        return len(self.tokenizer(self.clean(prompt), verbose=False).input_ids)


def alike(model: CLIPModel, ids: Tensor, pixels: Tensor) -> Tensor:
    """Cosine of each prompt with the picture beside it, float32. Features are objects in transformers 5: the projected
    embedding is their `pooler_output`."""
    text = model.get_text_features(input_ids=ids).pooler_output.float()
    return torch.cosine_similarity(pictured(model, pixels), text)


def pictured(model: CLIPModel, pixels: Tensor) -> Tensor:
    """Projected embeddings of pictures (n, width), float32, of any length."""
    found: Tensor = model.get_image_features(pixel_values=pixels).pooler_output.float()
    return found


class _Cosine(LocalScorer):
    """What both layouts share once `model`, `text` and `pixels` stand."""

    model: CLIPModel
    text: TextWindow
    scale: float = 1.0
    clean: Callable[[str], str] = staticmethod(unchanged)

    def pixels(self, images: Sequence[Image]) -> Tensor:
        raise NotImplementedError

    def _place(self, model: CLIPModel, tokens: Path) -> None:
        self.model = self.place(model)
        limit = model.config.text_config.max_position_embeddings
        self.text = TextWindow(tokens, limit, self.clean)
        self.text_window = limit

    def values(self, images: Sequence[Image], prompts: Sequence[str]) -> list[Score]:
        ids = self.text.ids(prompts).to(self.device)
        pixels = self.send(self.pixels(images))
        return [float(value) * self.scale for value in alike(self.model, ids, pixels)]

    def embeddings(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """Unit vectors of pictures (n, width), for the distances between them; each is computed alone."""
        with torch.inference_mode():
            found = [pictured(self.model, self.send(self.pixels([image.convert("RGB")]))) for image in images]
            return normalize(torch.cat(found), dim=-1).cpu().numpy()

    def token_count(self, prompt: str) -> int:
        return self.text.count(prompt)


class ClipScorer(_Cosine):
    """A CLIPModel directory: cosine in -1..1, or scaled by the learned exp(logit_scale)."""

    def __init__(self, card: ClipCard, device: str = "cpu") -> None:
        super().__init__(card, device)
        folder, base = weights_of(card), base_of(card)
        self._place(open_model(CLIPModel, folder), base)
        self.processor = CLIPImageProcessorPil.from_pretrained(base)
        self.scale = math.exp(float(self.model.logit_scale)) if card.scaled else 1.0

    def pixels(self, images: Sequence[Image]) -> Tensor:
        found: Tensor = self.processor(images=list(images), return_tensors="pt").pixel_values
        return found


class CheckpointScorer(_Cosine):
    """One file in the layout of OpenAI's clip or of open_clip: cosine in -1..1; the learned scale is not applied."""

    clean = staticmethod(cleaned)

    def __init__(self, card: ClipCheckpointCard, device: str = "cpu") -> None:
        super().__init__(card, device)
        path = file_of(card, card.checkpoint)
        base = base_of(card)
        published = read_state(path, inside=card.state_key)
        end = TextWindow(base, 1).tokenizer.eos_token_id
        config = configuration(published, path, card.vision_heads, card.text_heads, card.activation, end)
        self._place(fit_published(config, published, path), base)
        self.side = config.vision_config.image_size
        self.framing = cropped if card.framing == "crop" else padded

    def pixels(self, images: Sequence[Image]) -> Tensor:
        return torch.stack([self.framing(image, self.side) for image in images])


_TELLING = (  # keys whose shapes give the architecture away
    "positional_embedding",
    "text_projection",
    "token_embedding.weight",
    "transformer.resblocks.0.mlp.c_fc.weight",
    "visual.conv1.weight",
    "visual.positional_embedding",
    "visual.transformer.resblocks.0.mlp.c_fc.weight",
)


def configuration(
    published: Mapping[str, Tensor], path: Path, vision_heads: int, text_heads: int, activation: str, end: int
) -> CLIPConfig:
    """The architecture that fits the tensors of a clip or open_clip checkpoint. Heads leave no trace in shapes."""
    complain(path, [(key, "is missing") for key in _TELLING if key not in published])
    patches, projection = published["visual.conv1.weight"].shape, published["text_projection"].shape
    grid = math.isqrt(published["visual.positional_embedding"].shape[0] - 1)
    vocabulary, width = published["token_embedding.weight"].shape
    text = {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": published["transformer.resblocks.0.mlp.c_fc.weight"].shape[0],
        "num_hidden_layers": _depth(published, "transformer.resblocks."),
        "num_attention_heads": text_heads,
        "max_position_embeddings": published["positional_embedding"].shape[0],
        "hidden_act": activation,
        "bos_token_id": end - 1,
        "eos_token_id": end,
        "pad_token_id": end,
    }
    vision = {
        "hidden_size": patches[0],
        "intermediate_size": published["visual.transformer.resblocks.0.mlp.c_fc.weight"].shape[0],
        "num_hidden_layers": _depth(published, "visual.transformer.resblocks."),
        "num_attention_heads": vision_heads,
        "image_size": grid * patches[-1],
        "patch_size": patches[-1],
        "hidden_act": activation,
    }
    return CLIPConfig(text_config=text, vision_config=vision, projection_dim=projection[1])


def _depth(published: Mapping[str, Tensor], prefix: str) -> int:
    return len({key.removeprefix(prefix).split(".")[0] for key in published if key.startswith(prefix)})


_WHOLE = {
    "logit_scale": "logit_scale",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
}
_PARTS = (
    ("visual.transformer.resblocks.", "vision_model.encoder.layers."),
    ("visual.ln_pre.", "vision_model.pre_layrnorm."),
    ("visual.ln_post.", "vision_model.post_layernorm."),
    ("transformer.resblocks.", "text_model.encoder.layers."),
    ("ln_final.", "text_model.final_layer_norm."),
    (".ln_1.", ".layer_norm1."),
    (".ln_2.", ".layer_norm2."),
    (".mlp.c_fc.", ".mlp.fc1."),
    (".mlp.c_proj.", ".mlp.fc2."),
    (".attn.out_proj.", ".self_attn.out_proj."),
)


def stock_state(published: Mapping[str, Tensor]) -> tuple[State, dict[str, str]]:
    """Tensors under the keys of CLIPModel, and for each of these the published key it comes from."""
    state: State = {}
    origin: dict[str, str] = {}
    for key, tensor in published.items():
        for name, part in _renamed(key, tensor):
            state[name], origin[name] = part, key
    return state, origin


def _renamed(key: str, tensor: Tensor) -> list[tuple[str, Tensor]]:
    if key in ("visual.proj", "text_projection"):  # kept as (width, embedding); the stock class has a Linear
        return [("visual_projection.weight" if key == "visual.proj" else "text_projection.weight", tensor.T)]
    if key in _WHOLE:
        return [(_WHOLE[key], tensor)]
    for old, new in _PARTS:
        key = key.replace(old, new)
    if ".attn.in_proj_" in key:
        return [
            (key.replace(".attn.in_proj_", f".self_attn.{name}_proj."), part)
            for name, part in zip("qkv", tensor.chunk(3), strict=True)
        ]
    return [(key, tensor)]


def fit_published(config: CLIPConfig, published: Mapping[str, Tensor], path: Path) -> Any:
    state, origin = stock_state(published)
    return fit(build(lambda: CLIPModel(config)), state, path, origin)
