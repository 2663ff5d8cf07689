"""Tiny scorers in their published layouts: file, key and token names are real, sizes and weights are not.

Weights come from a recipe (frozen MT19937 stream, seeded by the key's name), so the same official module can be filled
in an old environment and here. Needs the standard library and numpy only: golden files are made beside transformers
4.45.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np

PROMPTS = [
    "a dim red barn",
    "two cats asleep on a very long and very crooked wall of old bricks under a thin grey sky, grainy and faded",
    "fog",
]
CONDITION = "fog"
SIZES = [(64, 64), (90, 40), (30, 75)]  # width, height: square, wide, tall


def weight(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Float32 values for the tensor `key`, the same on every machine and release."""
    found = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(shape)
    if key.endswith(("logit_scale",)):
        return np.array(np.log(100.0) + 0.1 * found, np.float32).reshape(shape)
    if len(shape) == 1 and key.endswith("weight"):  # of a normalisation
        return (1 + 0.1 * found).astype(np.float32)
    fan_in = int(np.prod(shape[1:])) or 1
    return (found * (0.1 if len(shape) == 1 else 1.5 / np.sqrt(fan_in))).astype(np.float32)


def picture(number: int) -> np.ndarray:
    """(height, width, 3) uint8 with gradients, edges and noise."""
    width, height = SIZES[number]
    y, x = np.mgrid[0:height, 0:width]
    rng = np.random.RandomState(number)
    base = np.stack([255 * x / width, 255 * y / height, 127 + 127 * np.sin((x + y) / (3 + number))], axis=-1)
    base[height // 4 : height // 2, width // 4 : width // 2] = rng.randint(0, 255, 3)
    return np.clip(base + rng.normal(0, 12, base.shape), 0, 255).astype(np.uint8)


def byte_symbols() -> list[str]:
    """The 256 printable stand-ins for bytes of GPT-2's and CLIP's vocabularies, by byte."""
    kept = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [b for b in range(256) if b not in kept]
    return [chr(b) if b in kept else chr(256 + others.index(b)) for b in range(256)]


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")


def clip_tokenizer(folder: Path, window: int) -> int:
    """Byte-level CLIP tokenizer files; returns the size of the vocabulary (the end token is the last)."""
    symbols = byte_symbols()
    vocabulary = [*symbols, *(s + "</w>" for s in symbols), "<|startoftext|>", "<|endoftext|>"]
    write_json(folder / "vocab.json", {token: i for i, token in enumerate(vocabulary)})
    (folder / "merges.txt").write_text("#version: 0.2\n", "utf-8")
    special = {"bos_token": "<|startoftext|>"} | dict.fromkeys(("eos_token", "pad_token", "unk_token"), "<|endoftext|>")
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": window}
    write_json(folder / "tokenizer_config.json", settings | special)
    write_json(folder / "special_tokens_map.json", special)
    return len(vocabulary)


def bert_tokenizer(folder: Path, window: int) -> int:
    """Letter-level BERT tokenizer files; returns the size of the vocabulary."""
    letters = [chr(c) for c in range(33, 127) if not chr(c).isupper()]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", "utf-8")
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": window}
    write_json(folder / "tokenizer_config.json", settings)
    return len(vocabulary)


QWEN_SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)


def qwen_tokenizer(folder: Path) -> int:
    """Byte-level Qwen2 tokenizer files; returns the size of the vocabulary, special tokens included."""
    symbols = byte_symbols()
    write_json(folder / "vocab.json", {token: i for i, token in enumerate(symbols)})
    (folder / "merges.txt").write_text("#version: 0.2\n", "utf-8")
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    added = {str(256 + i): {"content": token, **flags} for i, token in enumerate(QWEN_SPECIAL)}
    settings = {
        "tokenizer_class": "Qwen2Tokenizer",
        "added_tokens_decoder": added,
        "additional_special_tokens": list(QWEN_SPECIAL[1:]),
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "model_max_length": 32768,
    }
    write_json(folder / "tokenizer_config.json", settings)
    return 256 + len(QWEN_SPECIAL)


QWEN2_VL = {  # the shape of config.json as transformers 4.45 wrote it: text fields at the top
    "model_type": "qwen2_vl",
    "architectures": ["Qwen2VLForConditionalGeneration"],
    "attention_dropout": 0.0,
    "hidden_act": "silu",
    "hidden_size": 32,
    "initializer_range": 0.02,
    "intermediate_size": 48,
    "max_position_embeddings": 32768,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06,
    "rope_scaling": {"type": "mrope", "mrope_section": [2, 1, 1]},
    "rope_theta": 1000000.0,
    "tie_word_embeddings": False,
    "vocab_size": 263,
    "bos_token_id": 256,
    "eos_token_id": 258,
    "vision_start_token_id": 259,
    "vision_end_token_id": 260,
    "image_token_id": 261,
    "video_token_id": 262,
    "vision_config": {
        "model_type": "qwen2_vl",
        "depth": 2,
        "embed_dim": 16,
        "hidden_size": 32,
        "in_channels": 3,
        "in_chans": 3,
        "mlp_ratio": 2,
        "num_heads": 2,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
    },
}
QWEN2_PATCHES = {
    "image_processor_type": "Qwen2VLImageProcessor",
    "processor_class": "Qwen2VLProcessor",
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "min_pixels": 3136,
    "max_pixels": 12845056,
    "patch_size": 14,
    "temporal_patch_size": 2,
    "merge_size": 2,
}
HPSV3_PIXELS = 8 * 28 * 28
HPSV3_TEMPLATE = "\nRate the picture for this prompt.\nPrompt - {text_prompt}\n\nRating: <|Reward|>\n\nEND\n"
REWARD_TOKEN = "<|Reward|>"

OPEN_CLIP = {  # a model of open_clip's configuration files, made small; ViT-H-14 has head_width 80
    "embed_dim": 24,
    "vision_cfg": {"image_size": 56, "layers": 2, "width": 40, "head_width": 20, "patch_size": 14},
    "text_cfg": {"context_length": 77, "vocab_size": 514, "width": 24, "heads": 4, "layers": 2},
}
MED = {  # med_config.json, made small
    "architectures": ["BertModel"],
    "attention_probs_dropout_prob": 0.1,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 32,
    "initializer_range": 0.02,
    "intermediate_size": 64,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "model_type": "bert",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "pad_token_id": 0,
    "type_vocab_size": 2,
    "add_cross_attention": True,
}
BLIP_VISION = {"img_size": 224, "patch_size": 16, "embed_dim": 32, "depth": 2, "num_heads": 4}
