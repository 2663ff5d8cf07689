"""Tokenizers made in memory: bytes are their words, so that no vocabulary is fetched."""

from __future__ import annotations

from typing import Any

from transformers import CLIPTokenizer, GemmaTokenizer, Qwen2Tokenizer, T5TokenizerFast

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def byte_letters() -> list[str]:
    """The 256 printable letters that byte-level BPE writes bytes with."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in plain]
    return [chr(b) for b in plain] + [chr(256 + n) for n in range(len(rest))]


def clip(end_of_text_pad: bool = True, window: int = 77) -> Any:
    letters = byte_letters()
    words = letters + [f"{letter}</w>" for letter in letters] + ["<|startoftext|>", "<|endoftext|>", "!"]
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys(words))}
    pad = "<|endoftext|>" if end_of_text_pad else "!"
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=window, pad_token=pad)


def t5() -> Any:
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(chr(code), -3.0) for code in range(33, 127)]
    return T5TokenizerFast(vocab=pieces, extra_ids=0, model_max_length=512)


def qwen(special: tuple[str, ...] = ()) -> Any:
    vocabulary = {letter: number for number, letter in enumerate(byte_letters())}
    made = Qwen2Tokenizer(vocab=vocabulary, merges=[], extra_special_tokens=["<|im_start|>", "<|im_end|>", *special])
    made.chat_template = CHAT
    return made


def gemma() -> Any:
    special = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁")
    words = [*special, *(f"<0x{byte:02X}>" for byte in range(256))]
    return GemmaTokenizer(vocab={word: number for number, word in enumerate(words)}, merges=[])


def glm() -> Any:
    """As Qwen's, but the first 64 ids are picture tokens, then their start and end marks, as in GLM-Image."""
    picture = [f"<|picture_{n}|>" for n in range(64)] + ["<|start|>", "<|end|>"]
    vocabulary = {word: number for number, word in enumerate([*picture, *byte_letters()])}
    made = Qwen2Tokenizer(
        vocab=vocabulary,
        merges=[],
        bos_token="<|start|>",
        eos_token="<|end|>",
        extra_special_tokens={"image_token": "<|image|>", "grid_bos_token": "<sop>", "grid_eos_token": "<eop>"},
    )
    made.chat_template = "{% for m in messages %}{% for c in m['content'] %}{{ c['text'] }}{% endfor %}{% endfor %}"
    return made
