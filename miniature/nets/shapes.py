"""The shapes of the miniature's models: stock classes of diffusers and transformers, in two sizes.

`FULL` is trained on a GPU and shipped; `TINY` proves in the tests that every stage runs. Weights start random.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from miniature.world.vocabulary import BEGIN, END, LENGTH, PAD

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxTransformer2DModel
    from transformers import CLIPModel, ResNetForImageClassification, T5EncoderModel


@dataclass(frozen=True)
class Sizes:
    image: int  # pixels
    patch: int  # of the encoder's vision tower, pixels
    latent_channels: int
    autoencoder: tuple[int, ...]
    vision: tuple[int, int]  # width, layers
    text: tuple[int, int]
    t5: tuple[int, int, int]  # width, feed-forward width, layers
    double_blocks: int
    single_blocks: int
    heads: int  # of 64 channels
    judge: tuple[int, ...]

    @property
    def latent(self) -> int:
        """Side of the latent picture; the transformer sees it in 2 x 2 patches."""
        return self.image // 8


FULL = Sizes(256, 16, 12, (32, 64, 128, 128), (224, 6), (192, 3), (256, 640, 3), 1, 7, 6, (32, 64, 128, 208))
TINY = Sizes(64, 16, 4, (16, 16, 16, 16), (64, 2), (64, 1), (64, 96, 1), 1, 1, 1, (8, 8, 16, 16))


def autoencoder(sizes: Sizes) -> AutoencoderKL:
    """8 x 8 pixels per latent position; no attention, so that it may be trained on crops."""
    from diffusers import AutoencoderKL

    blocks = len(sizes.autoencoder)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        block_out_channels=sizes.autoencoder,
        layers_per_block=1,
        latent_channels=sizes.latent_channels,
        norm_num_groups=16,
        sample_size=sizes.image,
        use_quant_conv=False,
        use_post_quant_conv=False,
        mid_block_add_attention=False,
        scaling_factor=1.0,
        shift_factor=0.0,
        force_upcast=False,
    )


def encoder(sizes: Sizes, vocabulary: int) -> CLIPModel:
    """The un-aligned image-text encoder; its text tower also gives the generator's pooled embedding."""
    from transformers import CLIPConfig, CLIPModel

    text_width, text_layers = sizes.text
    width, layers = sizes.vision
    text = {
        "vocab_size": vocabulary,
        "hidden_size": text_width,
        "intermediate_size": 4 * text_width,
        "num_hidden_layers": text_layers,
        "num_attention_heads": text_width // 64,
        "max_position_embeddings": LENGTH,
        "projection_dim": 192,
        "bos_token_id": BEGIN,
        "eos_token_id": END,
        "pad_token_id": PAD,
    }
    vision = {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, width // 56),
        "image_size": sizes.image,
        "patch_size": sizes.patch,
        "projection_dim": 192,
    }
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=192))


def t5(sizes: Sizes, vocabulary: int) -> T5EncoderModel:
    """Trained together with the transformer. Eager attention: its learned bias crashed fused kernels on Hopper."""
    from transformers import T5Config, T5EncoderModel

    width, inner, layers = sizes.t5
    config = T5Config(
        vocab_size=vocabulary,
        d_model=width,
        d_kv=64,
        d_ff=inner,
        num_layers=layers,
        num_heads=width // 64,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
        pad_token_id=PAD,
        eos_token_id=END,
        decoder_start_token_id=PAD,
        is_encoder_decoder=False,
        use_cache=False,
        attn_implementation="eager",
    )
    return T5EncoderModel(config)


def transformer(sizes: Sizes) -> FluxTransformer2DModel:
    """Flux's transformer, small. Starts as adaLN-zero: every block is the identity, the output is zero."""
    from diffusers import FluxTransformer2DModel

    model = FluxTransformer2DModel(
        patch_size=1,
        in_channels=4 * sizes.latent_channels,
        num_layers=sizes.double_blocks,
        num_single_layers=sizes.single_blocks,
        attention_head_dim=64,
        num_attention_heads=sizes.heads,
        joint_attention_dim=sizes.t5[0],
        pooled_projection_dim=sizes.text[0],
        guidance_embeds=False,
        axes_dims_rope=(16, 24, 24),
    )
    for name, parameter in model.named_parameters():
        modulation = any(part in name for part in ("norm1.linear", "norm1_context.linear", "norm.linear", "norm_out"))
        if modulation or name in ("proj_out.weight", "proj_out.bias"):
            nn.init.zeros_(parameter)
        elif parameter.ndim == 2 and "embed" not in name:
            nn.init.normal_(parameter, 0, 0.02)
        elif name == "x_embedder.weight":
            nn.init.normal_(parameter, 0, 0.1)
    return model


def scheduler() -> FlowMatchEulerDiscreteScheduler:
    """Euler steps of a rectified flow; `shift` spends more of them at high noise."""
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler(shift=SHIFT, use_dynamic_shifting=False)


SHIFT = 2.0


def judge(sizes: Sizes, labels: list[str]) -> ResNetForImageClassification:
    """Says what is in a picture, label by label; never sees a prompt, never trains another model."""
    from transformers import ResNetConfig, ResNetForImageClassification

    config = ResNetConfig(
        embedding_size=sizes.judge[0],
        hidden_sizes=list(sizes.judge),
        depths=[2, 2, 2, 2],
        layer_type="basic",
        num_labels=len(labels),
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        problem_type="multi_label_classification",
    )
    return ResNetForImageClassification(config)
