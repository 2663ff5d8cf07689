"""A small participants for the engine's tests: real pipelines and scorers with random weights, loaded by the real
adapters.

Nothing of our own is replaced: cards are TOML read by the real readers, weights are repositories on disk.
"""

from __future__ import annotations

import json
from pathlib import Path

from evidence import scorers
from evidence.cards import Cards, models
from tests.evidence.tiny import repositories

SETTINGS = 'dtype = "float32"\nsteps = 2\nguidance = 3.5\nwidth = 32\nheight = 32\nmax_sequence_length = 64\n'


def cards(folder: Path, *, more_models: str = "", more_scorers: str = "") -> Cards:
    """Generators `small` (base) and `small-aligned` (the same with a LoRA), scorers `small-clip` and `small-labels`."""
    home = folder / "weights"
    if not home.exists():
        repositories.flux(home / "flux")
        transformer = repositories.flux_pipe().transformer
        repositories.lora(transformer)
        repositories.diffusers_lora(home / "lora", transformer)
        clip(home / "clip")
        classifier(home / "labels")
    (folder / "models.toml").write_text(_models(home) + more_models, "utf-8")
    (folder / "scorers.toml").write_text(_scorers(home) + more_scorers, "utf-8")
    return Cards(models.load(folder / "models.toml"), scorers.read(folder / "scorers.toml"))


def _models(home: Path) -> str:
    return f"""
[small]
label = "Small"
family = "Small"
alignment = "base"
adapter = "flux"
weights = "local-dir:{home}/flux"
licence = "none"
[small.profiles.controlled]
{SETTINGS}
[small-aligned]
like = "small"
label = "Small aligned"
alignment = "aligned"
lora = "local-dir:{home}/lora"
"""


def _scorers(home: Path) -> str:
    return f"""
[small-clip]
label = "Small CLIP"
adapter = "clip"
role = "encoder"
weights = "local-dir:{home}/clip"
output = "cosine"
text_window = 77
[small-labels]
label = "Small judge"
adapter = "image-classifier"
role = "annotator"
weights = "local-dir:{home}/labels"
output = "probability by label"
text_window = 0
"""


def clip(folder: Path) -> Path:
    import transformers

    from tests.evidence.tiny import tokenizers

    text = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    text |= {"vocab_size": 514, "bos_token_id": 512, "eos_token_id": 513, "pad_token_id": 513}
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    vision |= {"image_size": 32, "patch_size": 8}
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=32)
    repositories.drawn(transformers.CLIPModel(config), seed=7).save_pretrained(folder)
    tokenizers.clip().save_pretrained(folder)
    size = {"shortest_edge": 32}
    transformers.CLIPImageProcessorPil(size=size, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


LABELS = ("treatment:intentional_blur", "treatment:muted_faded", "treatment:film_artifacts")


def classifier(folder: Path) -> Path:
    import transformers

    config = transformers.ViTConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=32,
        patch_size=8,
        id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
        problem_type="multi_label_classification",
    )
    repositories.drawn(transformers.ViTForImageClassification(config), seed=8).save_pretrained(folder)
    transformers.ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def prompt_file(file: Path, count: int = 3) -> Path:
    """A prompt set of our own with `count` pairs."""
    lines = [
        {
            "id": f"p{number}",
            "plain": f"a cat number {number}",
            "wide": f"a faded, blurred cat number {number}",
            "tags": ["intentional_blur", "muted_faded"][: 1 + number % 2],
            "negative": "sharp",
        }
        for number in range(count)
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return file
