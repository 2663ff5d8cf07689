"""Every scorer as a tiny folder in its published layout, and the card of scorers.toml pointed at it."""

from __future__ import annotations

import collections
import itertools
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from transformers import (
    BertConfig,
    BlipConfig,
    BlipForImageTextRetrieval,
    BlipImageProcessorPil,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    GroundingDinoImageProcessorPil,
    MMGroundingDinoConfig,
    MMGroundingDinoForObjectDetection,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    ResNetConfig,
    ResNetForImageClassification,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
    SwinConfig,
    ViTImageProcessorPil,
)

from evidence import scorers
from evidence.cards.scorers import ScorerCard
from evidence.scorers.classifier_card import ClassifierCard
from tests.evidence.golden import layouts
from tests.evidence.tiny.repositories import drawn

GOLDEN = Path(layouts.__file__).parent
CARDS = scorers.read()
PICTURES = [Image.fromarray(layouts.picture(i)) for i in range(len(layouts.SIZES))]
PROMPTS = layouts.PROMPTS
LABELS = ("blur", "grain", "fade")


def golden(name: str) -> Any:
    return np.load(GOLDEN / f"{name}.npz")


def official_state(name: str) -> dict[str, torch.Tensor]:
    """Recipe weights under the official keys and shapes; integer buffers of old releases count up, as they did."""
    state = {}
    for line in golden(name)["shapes"]:
        key, _, text = str(line).partition(" ")
        shape = tuple(int(n) for n in text.split(",") if n)
        counted = key.endswith("position_ids")
        state[key] = torch.arange(shape[1])[None] if counted else torch.from_numpy(layouts.weight(key, shape))
    return state


def fill(model: nn.Module) -> Any:
    """Recipe weights by key name."""
    for key, tensor in model.state_dict().items():
        tensor.copy_(torch.from_numpy(layouts.weight(key, tuple(tensor.shape))))
    return model.eval()


def at(card: ScorerCard, folder: Path, **changes: object) -> ScorerCard:
    """The card with weights and base in `folder`."""
    where = {"weights": f"local-dir:{folder}", "base": f"local-dir:{folder}" if card.base else ""}
    return card.model_copy(update=where | changes)


def hpsv1(folder: Path) -> ScorerCard:
    torch.save({"state_dict": official_state("hpsv2"), "epoch": 3}, folder / "hpc.pth")
    layouts.clip_tokenizer(folder, 77)
    return at(CARDS["hpsv1"], folder, vision_heads=2, text_heads=4)


def hpsv21(folder: Path) -> ScorerCard:
    torch.save({"state_dict": official_state("hpsv2"), "epoch": 1}, folder / "HPS_v2.1_compressed.pt")
    layouts.clip_tokenizer(folder, 77)
    return at(CARDS["hpsv21"], folder, vision_heads=2, text_heads=4)


def hpsv3(folder: Path) -> ScorerCard:
    save_file(official_state("hpsv3"), folder / "HPSv3.safetensors")
    layouts.qwen_tokenizer(folder)
    layouts.write_json(folder / "config.json", layouts.QWEN2_VL)
    layouts.write_json(folder / "preprocessor_config.json", layouts.QWEN2_PATCHES)
    (folder / "instruction.txt").write_text(layouts.HPSV3_TEMPLATE, "utf-8")
    template = {"template": str(folder / "instruction.txt"), "template_sha256": ""}
    return at(CARDS["hpsv3"], folder, pixels=layouts.HPSV3_PIXELS, **template)


def imagereward(folder: Path) -> ScorerCard:
    torch.save(official_state("imagereward"), folder / "ImageReward.pt")
    vocabulary = layouts.bert_tokenizer(folder, 512)
    layouts.write_json(folder / "med_config.json", layouts.MED | {"vocab_size": vocabulary + 2})
    return at(CARDS["imagereward"], folder, vision_heads=4)


def clip_config(folder: Path, window: int = 77) -> CLIPConfig:
    """Writes the tokenizer too: the end token is that of its vocabulary."""
    size = layouts.clip_tokenizer(folder, window)
    text = {"vocab_size": size, "hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2}
    text |= {"num_attention_heads": 4, "max_position_embeddings": window, "hidden_act": "gelu"}
    text |= {"bos_token_id": size - 2, "eos_token_id": size - 1, "pad_token_id": size - 1}
    vision = {"hidden_size": 40, "intermediate_size": 80, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision |= {"image_size": 56, "patch_size": 14, "hidden_act": "gelu"}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)
    frame = {"size": {"shortest_edge": 56}, "crop_size": {"height": 56, "width": 56}}
    CLIPImageProcessorPil(**frame).save_pretrained(folder)
    return config


def _clip(row_id: str) -> Callable[[Path], ScorerCard]:
    def make(folder: Path) -> ScorerCard:
        fill(CLIPModel(clip_config(folder))).save_pretrained(folder)
        return at(CARDS[row_id], folder)

    return make


def mps(folder: Path) -> ScorerCard:
    clip_config(folder).save_pretrained(folder)
    turns = 10000 ** -(torch.arange(32) / 32)  # a buffer of rotary positions: constants, not weights
    rotary = {f"cross_model.layers.{i}.1.fn.rotary_emb.inv_freq": turns for i in range(4)}
    pickle_module(official_state("mps") | rotary, folder / "MPS_overall_checkpoint.pth")
    return at(CARDS["mps"], folder, cross_heads=2, condition=layouts.CONDITION)


def pickle_module(state: Mapping[str, torch.Tensor], path: Path) -> None:
    """A whole module as `torch.save` pickles it, of classes that live in the trainer's package and not here."""
    trainer = types.ModuleType("trainer.models.clip_model")
    names = {"trainer": types.ModuleType("trainer"), "trainer.models": types.ModuleType("trainer.models")}
    part = type("CLIPModel", (nn.Module,), {"__module__": trainer.__name__, "__qualname__": "CLIPModel"})
    trainer.CLIPModel = part  # type: ignore[attr-defined]
    whole = part()
    for key, tensor in state.items():
        *steps, name = key.split(".")
        place = whole
        for step in steps:
            if step not in place._modules:
                place.add_module(step, part())
            place = place._modules[step]
        counted = key.endswith((".norm.bias", "inv_freq")) or not tensor.is_floating_point()
        place.register_buffer(name, tensor) if counted else place.register_parameter(name, nn.Parameter(tensor))
    whole.register_buffer("kept_for_speed", torch.ones(3), persistent=False)
    whole.config = {"dtype": torch.float16, "size": torch.Size([3])}
    sys.modules.update(names | {trainer.__name__: trainer})
    try:
        torch.save(whole, path)
    finally:
        for name in (*names, trainer.__name__):
            del sys.modules[name]


def blip(row_id: str) -> Callable[[Path], ScorerCard]:
    def make(folder: Path) -> ScorerCard:
        size = layouts.bert_tokenizer(folder, 512)
        text = {"vocab_size": size, "hidden_size": 32, "encoder_hidden_size": 32, "intermediate_size": 64}
        text |= {"num_hidden_layers": 2, "num_attention_heads": 4, "bos_token_id": 2, "sep_token_id": 3}
        vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
        vision |= {"image_size": 48, "patch_size": 16}
        config = BlipConfig(text_config=text, vision_config=vision, image_text_hidden_size=16)
        fill(BlipForImageTextRetrieval(config)).save_pretrained(folder)
        BlipImageProcessorPil(size={"height": 48, "width": 48}).save_pretrained(folder)
        return at(CARDS[row_id], folder)

    return make


def face_itm(folder: Path) -> ScorerCard:
    """BLIP, and beside it a detector of Grounding DINO's family in the layout of LLMDet's repositories."""
    folder.mkdir(exist_ok=True)
    card = blip("blip-l-face")(folder)
    detector = folder.with_name(f"{folder.name}-detector")
    detector.mkdir()
    text = {"vocab_size": layouts.bert_tokenizer(detector, 256), "hidden_size": 32, "intermediate_size": 64}
    text |= {"num_hidden_layers": 1, "num_attention_heads": 4}
    swin = SwinConfig(
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 2, 2, 4],
        window_size=4,
        image_size=64,
        out_features=["stage2", "stage3", "stage4"],
    )
    layers = {f"{side}_{part}": size for side in ("encoder", "decoder")
              for part, size in (("layers", 2), ("ffn_dim", 64), ("attention_heads", 4))}  # fmt: skip
    config = MMGroundingDinoConfig(
        backbone_config=swin,
        text_config=BertConfig(**text),
        num_queries=6,
        d_model=32,
        num_feature_levels=3,
        max_text_len=64,
        decoder_bbox_embed_share=False,
        decoder_cls_embed_share=False,
        **layers,
    )
    drawn(MMGroundingDinoForObjectDetection(config), seed=3).save_pretrained(detector)
    GroundingDinoImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 96}).save_pretrained(detector)
    return card.model_copy(update={"detector": f"local-dir:{detector}", "threshold": 0.001})


def aesthetic(folder: Path) -> ScorerCard:
    """The whole of SigLIP, of which half is read, and the head's file with dropout counted among its layers."""
    half = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = SiglipConfig(text_config=half, vision_config=half | {"image_size": 28, "patch_size": 14})
    fill(SiglipModel(config)).save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": 28, "width": 28}).save_pretrained(folder)
    widths = (32, 1024, 128, 64, 16, 1)
    shapes = {f"scoring_head.{2 * i}": pair for i, pair in enumerate(itertools.pairwise(widths))}
    state = {f"{key}.weight": (out, into) for key, (into, out) in shapes.items()}
    state |= {f"{key}.bias": (out,) for key, (_, out) in shapes.items()}
    head = collections.OrderedDict((key, torch.from_numpy(layouts.weight(key, shape))) for key, shape in state.items())
    torch.save(head, folder / "aesthetic_predictor_v2_5.pth")
    return at(CARDS["aesthetic-v25"], folder)


def j_judge(folder: Path) -> ScorerCard:
    size = layouts.qwen_tokenizer(folder)
    text = {"vocab_size": size, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "head_dim": 8}
    text |= {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 32768}
    text |= {"rope_scaling": {"rope_type": "default", "mrope_section": [2, 1, 1], "mrope_interleaved": True}}
    text |= {"bos_token_id": 256, "eos_token_id": 258, "pad_token_id": 256}
    vision = {"depth": 2, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 32}
    vision |= {"patch_size": 16, "spatial_merge_size": 2, "deepstack_visual_indexes": [0, 1]}
    vision |= {"num_position_embeddings": 16}
    tokens = {"image_token_id": 261, "video_token_id": 262, "vision_start_token_id": 259, "vision_end_token_id": 260}
    config = Qwen3VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=True, **tokens)
    fill(Qwen3VLForConditionalGeneration(config)).save_pretrained(folder)
    cut = layouts.QWEN2_PATCHES | {"patch_size": 16, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    layouts.write_json(folder / "preprocessor_config.json", cut | {"image_processor_type": "Qwen2VLImageProcessorFast"})
    return at(CARDS["j-judge"], folder, image_size=64)


def classifier(folder: Path) -> ScorerCard:
    torch.manual_seed(0)
    config = ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16],
        depths=[1, 1],
        layer_type="basic",
        id2label=dict(enumerate(LABELS)),
        label2id={name: i for i, name in enumerate(LABELS)},
        problem_type="multi_label_classification",
    )
    ResNetForImageClassification(config).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return ClassifierCard(
        id="treatments",
        label="which treatments a picture shows",
        adapter="image-classifier",
        role="annotator",
        weights=f"local-dir:{folder}",
        output="probability of each label",
    )


MAKERS: dict[str, Callable[[Path], ScorerCard]] = {
    "hpsv1": hpsv1,
    "hpsv21": hpsv21,
    "hpsv3": hpsv3,
    "mps": mps,
    "pickscore": _clip("pickscore"),
    "imagereward": imagereward,
    "clip-l": _clip("clip-l"),
    "blip-l": blip("blip-l"),
    "blip-l-logits": blip("blip-l-logits"),
    "blip-l-face": face_itm,
    "j-judge": j_judge,
    "aesthetic-v25": aesthetic,
    "image-classifier": classifier,
}
