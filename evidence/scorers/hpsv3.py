"""HPSv3: Qwen2-VL-7B read at a reward token by a small head; the first of its two outputs is the score.

The checkpoint has the key names of transformers 4.45 and was used with that release's forward pass, which gave every
token its sequential position (no picture grid): other positions move the score by about one percent. Pictures are
brought to 256 * 28 * 28 pixels. The instruction is not repeated here: it is read, not run, from the official package,
and its hash is compared. It asks for "clear" pictures with "harmony and balance": a wide-spectrum prompt starts behind.
"""

from __future__ import annotations

import ast
import hashlib
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL.Image import Image
from torch import Tensor, nn
from transformers import Qwen2VLConfig, Qwen2VLModel

from evidence.cards.base import ROOT
from evidence.interfaces import Score
from evidence.scorers.base import LocalScorer, State, base_of, build, file_of, fit, read_state, without_control
from evidence.scorers.chat import PICTURE, PLACEHOLDER, ChatInput
from evidence.scorers.hpsv3_card import Hpsv3Card
from evidence.weights import Unavailable

_KEYS = (
    ("visual.", "backbone.visual."),
    ("model.embed_tokens.", "backbone.language_model.embed_tokens."),
    ("model.layers.", "backbone.language_model.layers."),
    ("model.norm.", "backbone.language_model.norm."),
    ("rm_head.", "head."),
)
_UNUSED = ("lm_head.",)  # of the language model, not of the score


class Hpsv3(nn.Module):
    """The backbone and its head of three linear layers (the published indices 0, 3, 5)."""

    def __init__(self, config: Qwen2VLConfig, outputs: int = 2) -> None:
        super().__init__()
        self.backbone = Qwen2VLModel(config)
        width = config.text_config.hidden_size
        layers = (nn.Linear(width, 1024), nn.ReLU(), nn.Dropout(0.05), nn.Linear(1024, 16), nn.ReLU())
        self.head = nn.Sequential(*layers, nn.Linear(16, outputs))

    def forward(self, ids: Tensor, mask: Tensor, patches: Tensor, grid: Tensor, reward_token: int) -> Tensor:
        """(pairs, outputs) float32 at the one reward token of each pair."""
        places = torch.arange(ids.shape[1], device=ids.device).expand(3, *ids.shape)
        hidden = self.backbone(
            input_ids=ids,
            attention_mask=mask,
            position_ids=places,
            pixel_values=patches,
            image_grid_thw=grid,
            use_cache=False,
        ).last_hidden_state
        at = (ids == reward_token).int().argmax(dim=1)
        found: Tensor = self.head(hidden[torch.arange(len(ids), device=ids.device), at].float())
        return found


class Hpsv3Scorer(LocalScorer):
    """Element 0 (the mean) of about -10 to 16 with the published weights; a higher one is preferred."""

    def __init__(self, card: Hpsv3Card, device: str = "cpu") -> None:
        super().__init__(card, device)
        base = base_of(card)
        self.template = read_template(card)
        self.chat = ChatInput(base, [card.reward_token])
        self.reward_token, self.reward = card.reward_token, self.chat.token(card.reward_token)
        self.model = open_hpsv3(file_of(card, card.checkpoint), base)
        self.place(self.model.backbone)
        self.place(self.model.head, torch.float32)
        self.text_window = self.model.backbone.config.text_config.max_position_embeddings
        self.pixels: int = card.pixels

    def text(self, prompt: str) -> str:
        """The whole turn. A prompt that contains the reward token itself would be read at the wrong place."""
        without_control([prompt], self.chat.tokenizer, self.reward_token, PLACEHOLDER)
        asked = self.template.replace("{text_prompt}", prompt)
        return (
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
            f"<|im_start|>user\n{PICTURE}{asked}<|im_end|>\n<|im_start|>assistant\n"
        )

    def values(self, images: Sequence[Image], prompts: Sequence[str]) -> list[Score]:
        framed = [self.chat.resized(image, self.pixels) for image in images]
        turn = self.chat.turns(framed, [self.text(prompt) for prompt in prompts]).to(self.device)
        patches = self.send(turn.patches)
        return [float(mean) for mean in self.model(turn.ids, turn.mask, patches, turn.grid, self.reward)[:, 0]]

    def token_count(self, prompt: str) -> int:
        pictures = self.pixels // self.chat.factor**2
        written = self.chat.tokenizer(self.text(prompt), verbose=False).input_ids
        return len(written) - 1 + pictures


def open_hpsv3(path: Path, base: Path) -> Hpsv3:
    """Backbone and head of a checkpoint with the keys of transformers 4.45; the architecture from `base`. The tokenizer
    was enlarged, so the vocabulary is that of the checkpoint."""
    published = {key: t for key, t in read_state(path, inside="model").items() if not key.startswith(_UNUSED)}
    config = Qwen2VLConfig(**json.loads((base / "config.json").read_text("utf-8")))
    embedding = published.get("model.embed_tokens.weight")
    if embedding is not None:
        config.text_config.vocab_size = embedding.shape[0]
    origin = {_renamed(key): key for key in published}
    state: State = {_renamed(key): tensor for key, tensor in published.items()}
    return fit(build(lambda: Hpsv3(config)), state, path, origin)


def _renamed(key: str) -> str:
    for old, new in _KEYS:
        if key.startswith(old):
            return new + key.removeprefix(old)
    return key


def read_template(card: Hpsv3Card) -> str:
    """The instruction with `{text_prompt}` and the reward token in it, from the official wheel or from a text file.

    The constants of the wheel's data collator are parsed, not imported. Raises Unavailable with the command that
    fetches the wheel, or where the text is not the one whose sha256 the card gives."""
    path = ROOT / card.template
    if not path.exists():
        raise Unavailable(f"the instruction of {card.label} is not at {card.template}", card.beside[card.template])
    text = _from_wheel(path) if path.suffix == ".whl" else path.read_text("utf-8")
    found = hashlib.sha256(text.encode()).hexdigest()
    if card.template_sha256 and found != card.template_sha256:
        raise Unavailable(f"{path.name} holds another instruction (sha256 {found[:12]}) than the card expects")
    if text.count("{text_prompt}") != 1 or text.count(card.reward_token) != 1:
        raise Unavailable(f"{path.name} must hold {{text_prompt}} and {card.reward_token} once each")
    return text


def _from_wheel(path: Path) -> str:
    with zipfile.ZipFile(path) as wheel:
        tree = ast.parse(wheel.read("hpsv3/dataset/data_collator_qwen.py"))
    constants = {
        target.id: statement.value.value
        for statement in tree.body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    return str(constants["INSTRUCTION"]) + str(constants["prompt_with_special_token"])
