"""Scores of the official HPSv2, HPSv3, ImageReward and MPS on tiny recipe weights -> *.npz beside this file.

Run in an environment of its own, see CONTRIBUTING (torch, torchvision, transformers 4.45.2, timm 0.6.13, fairscale, and
the wheels in one folder, not installed):

    OLD/bin/python tests/evidence/golden/make_golden.py WHEELS

Three wheels are the official packages. MPS has none: the modules of its published model are in the wheel of imscore.
Their code is executed from where it lies and kept nowhere. Where an official module has its full size written in, only
that number is replaced: BLIP's create_vit, the MLP's input width, the name of the BERT tokenizer.
"""

from __future__ import annotations

import ast
import sys
import tempfile
import types
import zipfile
from pathlib import Path
from typing import Optional, Union
from unittest import mock

import numpy as np
import torch
from PIL import Image
from torch import nn

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import layouts  # noqa: E402


def import_torchvision() -> None:
    """torchvision's compiled operators are not needed here, and cannot be loaded beside a CPU-only torch."""
    with mock.patch("torch.library.register_fake", lambda *_, **__: lambda function: function):
        import torchvision  # noqa: F401


def package(name: str, folder: Path) -> None:
    """An empty package whose modules lie in `folder`: its own __init__, and all that this imports, is not run."""
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [str(folder)]


def fill(module: nn.Module) -> list[str]:
    """Recipe weights for every parameter and persistent buffer, by its official name; returns the names."""
    state = module.state_dict()
    for key, tensor in state.items():
        if tensor.is_floating_point():
            tensor.copy_(torch.from_numpy(layouts.weight(key, tuple(tensor.shape))))
    return sorted(state)


def shapes(module: nn.Module) -> list[str]:
    return sorted(f"{key} {','.join(map(str, tensor.shape))}" for key, tensor in module.state_dict().items())


def pictures() -> list[Image.Image]:
    return [Image.fromarray(layouts.picture(i)) for i in range(len(layouts.SIZES))]


def clip_ids(prompts: list[str], window: int) -> torch.Tensor:
    """What a byte-level CLIP vocabulary without merges gives for lower-case words, zero-padded as open_clip does it."""
    symbols = {s: i for i, s in enumerate(layouts.byte_symbols())}
    ids = torch.zeros(len(prompts), window, dtype=torch.long)
    for card, prompt in enumerate(prompts):
        words = prompt.replace(",", " ,").split()
        tokens = [512, *(symbols[c] + 256 * (i == len(w) - 1) for w in words for i, c in enumerate(w)), 513]
        if len(tokens) > window:
            tokens = [*tokens[: window - 1], 513]
        ids[card, : len(tokens)] = torch.tensor(tokens)
    return ids


def hpsv2(source: Path) -> dict[str, object]:
    package("hpsv2", source / "hpsv2")
    package("hpsv2.src", source / "hpsv2/src")
    package("hpsv2.src.open_clip", source / "hpsv2/src/open_clip")
    from hpsv2.src.open_clip.model import CLIP
    from hpsv2.src.open_clip.transform import image_transform

    torch.manual_seed(0)
    model = CLIP(**layouts.OPEN_CLIP, output_dict=True).eval()
    fill(model)
    prepare = image_transform(layouts.OPEN_CLIP["vision_cfg"]["image_size"], is_train=False, resize_longest_max=True)
    pixels = torch.stack([prepare(image) for image in pictures()])
    ids = clip_ids(layouts.PROMPTS, layouts.OPEN_CLIP["text_cfg"]["context_length"])
    found = model(pixels, ids)
    scores = torch.diagonal(found["image_features"] @ found["text_features"].T)
    return {
        "scores": scores.numpy(),
        "ids": ids.numpy().astype(np.int16),
        "pixels": pixels.numpy().astype(np.float16),
        "shapes": np.array(shapes(model)),
    }


def imagereward(source: Path) -> dict[str, object]:
    package("ImageReward", source / "ImageReward")
    package("ImageReward.models", source / "ImageReward/models")
    from ImageReward import ImageReward as official
    from ImageReward.models.BLIP import blip_pretrain
    from ImageReward.models.BLIP.vit import VisionTransformer
    from transformers import BertTokenizer

    def vit(*_: object) -> tuple[nn.Module, int]:
        return VisionTransformer(**layouts.BLIP_VISION), layouts.BLIP_VISION["embed_dim"]

    def tokenizer() -> BertTokenizer:
        found = BertTokenizer.from_pretrained(folder)
        found.add_special_tokens({"bos_token": "[DEC]"})
        found.add_special_tokens({"additional_special_tokens": ["[ENC]"]})
        return found

    mlp = official.MLP
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        vocabulary = layouts.bert_tokenizer(folder, 512)
        layouts.write_json(folder / "med_config.json", layouts.MED | {"vocab_size": vocabulary + 2})
        with (
            mock.patch.object(blip_pretrain, "create_vit", vit),
            mock.patch.object(blip_pretrain, "init_tokenizer", tokenizer),
            mock.patch.object(official, "MLP", lambda _: mlp(layouts.MED["hidden_size"])),
        ):
            torch.manual_seed(0)
            model = official.ImageReward(str(folder / "med_config.json")).eval()
    fill(model)
    scores = [model.score(prompt, image) for prompt, image in zip(layouts.PROMPTS, pictures(), strict=True)]
    return {"scores": np.array(scores), "shapes": np.array(shapes(model))}


def hpsv3(source: Path) -> dict[str, object]:
    import transformers
    from transformers import Qwen2Tokenizer, Qwen2VLConfig, Qwen2VLImageProcessor, Qwen2VLProcessor

    package("hpsv3", source / "hpsv3")
    package("hpsv3.dataset", source / "hpsv3/dataset")
    from hpsv3.dataset.utils import process_vision_info

    tree = ast.parse((source / "hpsv3/model/qwen2vl_trainer.py").read_text("utf-8"))
    text = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Qwen2VLRewardModelBT"]
    space = {"torch": torch, "nn": nn, "Optional": Optional, "List": list, "Union": Union}
    space["Qwen2VLForConditionalGeneration"] = transformers.Qwen2VLForConditionalGeneration
    exec(compile(ast.Module(text, []), "qwen2vl_trainer.py", "exec"), space)  # the official class, as published

    with tempfile.TemporaryDirectory() as name:
        layouts.qwen_tokenizer(Path(name))
        tokenizer = Qwen2Tokenizer.from_pretrained(name, padding_side="right")
    tokenizer.add_special_tokens({"additional_special_tokens": [layouts.REWARD_TOKEN]})
    cutter = Qwen2VLImageProcessor(
        **{k: v for k, v in layouts.QWEN2_PATCHES.items() if k not in ("image_processor_type", "processor_class")}
    )
    chat = (
        "{% for m in messages %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        "<|im_start|>{{ m['role'] }}\n"
        "{% for c in m['content'] %}{% if c['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
        "{% else %}{{ c['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    processor = Qwen2VLProcessor(image_processor=cutter, tokenizer=tokenizer, chat_template=chat)
    reward = tokenizer.convert_tokens_to_ids([layouts.REWARD_TOKEN])
    torch.manual_seed(0)
    config = Qwen2VLConfig(**layouts.QWEN2_VL, attn_implementation="eager")
    model = space["Qwen2VLRewardModelBT"](config, 2, "special", reward, rm_head_type="ranknet")
    model.resize_token_embeddings(len(tokenizer))
    model.config.pad_token_id = tokenizer.pad_token_id
    model.eval()
    fill(model)
    budget = {"min_pixels": layouts.HPSV3_PIXELS, "max_pixels": layouts.HPSV3_PIXELS}
    turns = [
        [
            {
                "role": "user",
                "content": [
                    {"type": "image", "image": image, **budget},
                    {"type": "text", "text": layouts.HPSV3_TEMPLATE.format(text_prompt=prompt)},
                ],
            }
        ]
        for prompt, image in zip(layouts.PROMPTS, pictures(), strict=True)
    ]
    images, _ = process_vision_info(turns)
    written = processor.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    batch = processor(text=written, images=images, padding=True, return_tensors="pt")
    scores = model(return_dict=True, **batch)["logits"]
    return {
        "scores": scores.numpy(),
        "ids": batch["input_ids"].numpy().astype(np.int16),
        "grid": batch["image_grid_thw"].numpy(),
        "shapes": np.array(shapes(model)),
    }


def mps(folder: Path) -> dict[str, object]:
    """The published one-by-one evaluation with its threshold 0.3, and with the 0.01 of the class. MPS itself has no
    package; imscore carries the modules of its model."""
    package("imscore", folder / "imscore")
    package("imscore.mps", folder / "imscore/mps")
    from imscore.mps import cross
    from imscore.mps import model as published
    from transformers import CLIPConfig, CLIPImageProcessor

    ends = {"bos_token_id": 512, "eos_token_id": 513, "pad_token_id": 513, "hidden_act": "gelu"}
    text = {"vocab_size": 514, "hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2}
    text |= {"num_attention_heads": 4, "max_position_embeddings": 77, **ends}
    vision = {"hidden_size": 40, "intermediate_size": 80, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision |= {"image_size": 56, "patch_size": 14, "hidden_act": "gelu"}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)
    model = nn.Module()  # the attributes of the published CLIPModel, whose constructor wants full-size weights
    model.model = published.XCLIPModel(config)
    model.cross_model = cross.CrossModel(dim=24, layer_num=4, heads=2)
    fill(model.eval())
    for layer in model.cross_model.layers:  # constants, not weights
        layer[1].fn.rotary_emb = cross.RotaryEmbedding(64)
    frame = CLIPImageProcessor(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    ids = clip_ids([*layouts.PROMPTS, layouts.CONDITION], 77)
    ids[(ids == 513).cumsum(1) > 0] = 513  # the stock tokenizer pads with the end token; every token counts here
    condition, _ = model.model.get_text_features(ids[-1:])
    scores = []
    for number, image in enumerate(pictures()):
        words, prompt = model.model.get_text_features(ids[number : number + 1])
        picture = model.model.get_image_features(frame(image, return_tensors="pt").pixel_values)
        alike = torch.einsum("bid,bjd->bji", words, condition).amax(dim=1, keepdim=True)
        alike = alike / alike.max()
        for threshold in (0.3, 0.01):
            mask = torch.where(alike > threshold, 0.0, float("-inf")).repeat(1, picture.shape[1], 1)
            seen = model.cross_model(picture, words, mask)[:, 0]
            scores.append(model.model.logit_scale.exp() * torch.cosine_similarity(seen, prompt)[0])
    kept = [line for line in shapes(model) if "inv_freq" not in line]
    return {"scores": torch.stack(scores).reshape(-1, 2).numpy(), "shapes": np.array(kept)}


def main(wheels: Path) -> None:
    import_torchvision()
    made = {
        "hpsv2": (hpsv2, "hpsv2"),
        "imagereward": (imagereward, "image_reward"),
        "hpsv3": (hpsv3, "hpsv3"),
        "mps": (mps, "imscore"),
    }
    for name, (make, wheel) in made.items():
        (found,) = wheels.glob(f"{wheel}-*.whl")
        sys.path.insert(0, str(found))
        with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
            zipfile.ZipFile(found).extractall(folder)
            content = make(Path(folder))
        np.savez_compressed(HERE / f"{name}.npz", source=found.name, **content)
        print(name, np.asarray(content["scores"]).ravel().round(5))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
