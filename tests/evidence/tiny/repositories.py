"""Tiny repositories with random weights in the layout each card is published in: same files, same key names, same form.

Every builder writes into an empty folder and returns it. Weights are drawn from a fixed seed and scaled up a little, so
that pictures are not blank.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from tests.evidence.tiny import tokenizers

SIDE = 32  # pixels


def drawn(module: torch.nn.Module, seed: int = 0, gain: float = 1.0) -> Any:
    """The module with its matrices drawn anew: where adaLN layers start at zero, text would change nothing."""
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for part in module.parameters():
            if part.ndim > 1:
                part.copy_(torch.randn(part.shape, generator=noise) * gain / part[0].numel() ** 0.5)
    return module.eval()


def clip_text(width: int = 32, projection: int = 0, layers: int = 2, seed: int = 1) -> Any:
    config = transformers.CLIPTextConfig(
        vocab_size=514,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        projection_dim=projection or width,
        bos_token_id=512,
        eos_token_id=513,
        pad_token_id=513,
    )
    made = transformers.CLIPTextModelWithProjection if projection else transformers.CLIPTextModel
    return drawn(made(config), seed)


def t5_text(width: int = 32, seed: int = 2) -> Any:
    config = transformers.T5Config(
        vocab_size=98, d_model=width, d_kv=8, d_ff=64, num_layers=2, num_heads=4, feed_forward_proj="gated-gelu"
    )
    return drawn(transformers.T5EncoderModel(config), seed)


def vae(latent: int = 16, **statistics: Any) -> Any:
    settings = {"scaling_factor": 0.36, "shift_factor": 0.11, "use_quant_conv": False, "use_post_quant_conv": False}
    return drawn(
        diffusers.AutoencoderKL(
            block_out_channels=(8, 16),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=latent,
            layers_per_block=1,
            norm_num_groups=4,
            sample_size=SIDE,
            **(settings | statistics),
        ),
        seed=3,
        gain=1.5,
    )


FLUX = {
    "patch_size": 1,
    "in_channels": 16,
    "num_layers": 2,
    "num_single_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": 32,
    "pooled_projection_dim": 32,
    "axes_dims_rope": (4, 6, 6),
    "guidance_embeds": True,
}


def flux_pipe(**changes: Any) -> Any:
    return diffusers.FluxPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=vae(4),
        text_encoder=clip_text(),
        tokenizer=tokenizers.clip(),
        text_encoder_2=t5_text(),
        tokenizer_2=tokenizers.t5(),
        transformer=drawn(diffusers.FluxTransformer2DModel(**(FLUX | changes)), seed=4),
    )


def flux(folder: Path) -> Path:
    """FLUX.1: a diffusers repository."""
    flux_pipe().save_pretrained(folder)
    return folder


def flux_transformer(file: Path) -> Path:
    """DanceGRPO: one safetensors file of a checkpoint folder, with diffusers' key names and no configuration."""
    from safetensors.torch import save_file

    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(drawn(diffusers.FluxTransformer2DModel(**FLUX), seed=40).state_dict(), file, {"format": "pt"})
    return file


def lora(transformer: Any, *, rank: int = 4, alpha: int = 8) -> None:
    """Adds a LoRA to the transformer, with weights as if trained."""
    from peft import LoraConfig

    targets = ["to_q", "to_k", "to_v", "to_out.0"]
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets, init_lora_weights=False)
    torch.manual_seed(50)
    transformer.add_adapter(config)


def diffusers_lora(folder: Path, transformer: Any, *, metadata: bool = True) -> Path:
    """`pytorch_lora_weights.safetensors`, as diffusers saves it."""
    from diffusers.training_utils import _collate_lora_metadata
    from peft.utils import get_peft_model_state_dict

    told = _collate_lora_metadata({"transformer": transformer}) if metadata else {}
    state = get_peft_model_state_dict(transformer)
    diffusers.FluxPipeline.save_lora_weights(folder, transformer_lora_layers=state, **told)
    return folder


def flux_lora(folder: Path) -> Path:
    """A LoRA for FLUX in diffusers' form."""
    transformer = flux_pipe().transformer
    lora(transformer)
    return diffusers_lora(folder, transformer)


def write_json(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content, indent=1), "utf-8")


def sdxl(folder: Path, *, playground: bool = False) -> Path:
    """SDXL with half-precision files (`*.fp16.safetensors`); Playground adds an EDM scheduler and latent statistics."""
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=SIDE // 2,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 2),
        projection_class_embeddings_input_dim=6 * 8 + 32,
        cross_attention_dim=64,
        norm_num_groups=4,
    )
    statistics: dict[str, Any] = {"use_quant_conv": True, "use_post_quant_conv": True, "shift_factor": None}
    scheduler: Any = diffusers.EulerDiscreteScheduler(beta_schedule="scaled_linear", timestep_spacing="leading")
    if playground:
        statistics |= {
            "latents_mean": [-1.6, 0.2, 2.1, -1.0],
            "latents_std": [8.4, 5.9, 5.3, 5.3],
            "scaling_factor": 0.5,
        }
        scheduler = diffusers.EDMDPMSolverMultistepScheduler(sigma_min=0.002, sigma_max=80.0, sigma_data=0.5)
    made = diffusers.StableDiffusionXLPipeline(
        vae=vae(4, **statistics),
        text_encoder=clip_text(),
        text_encoder_2=clip_text(projection=32, seed=5),
        tokenizer=tokenizers.clip(),
        tokenizer_2=tokenizers.clip(end_of_text_pad=False),
        unet=drawn(unet, seed=6),
        scheduler=scheduler,
        force_zeros_for_empty_prompt=True,
    )
    made.save_pretrained(folder, variant="fp16")
    return folder


SD3 = {
    "sample_size": SIDE // 2,
    "patch_size": 2,
    "in_channels": 4,
    "num_layers": 3,
    "attention_head_dim": 8,
    "num_attention_heads": 4,
    "joint_attention_dim": 64,
    "caption_projection_dim": 32,
    "pooled_projection_dim": 64,
    "out_channels": 4,
    "pos_embed_max_size": 24,
    "dual_attention_layers": (0,),
    "qk_norm": "rms_norm",
}


def sd3(folder: Path) -> Path:
    """Stable Diffusion 3.5: three text encoders, dual attention in its first layers."""
    made = diffusers.StableDiffusion3Pipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=vae(4),
        text_encoder=clip_text(projection=32),
        tokenizer=tokenizers.clip(),
        text_encoder_2=clip_text(projection=32, seed=5),
        tokenizer_2=tokenizers.clip(end_of_text_pad=False),
        text_encoder_3=t5_text(64),
        tokenizer_3=tokenizers.t5(),
        transformer=drawn(diffusers.SD3Transformer2DModel(**SD3), seed=7),
    )
    made.save_pretrained(folder)
    return folder


def playground(folder: Path) -> Path:
    return sdxl(folder, playground=True)


def peft_lora(folder: Path, *, rank: int = 4, alpha: int = 12) -> Path:
    """FlowGRPO: PEFT's folder, `adapter_config.json` and `adapter_model.safetensors` with `base_model.model.` names."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(51)
    targets = ["attn.to_q", "attn.to_k", "attn.to_v", "attn.add_k_proj", "attn.add_q_proj", "attn.add_v_proj"]
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets, init_lora_weights=False)
    get_peft_model(diffusers.SD3Transformer2DModel(**SD3), config).save_pretrained(folder)
    return folder


def qwen3_text(layers: int = 3, width: int = 32) -> Any:
    config = transformers.Qwen3Config(
        vocab_size=300,
        hidden_size=width,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=2048,
    )
    return drawn(transformers.Qwen3ForCausalLM(config), seed=8)


def qwen_vl_text(width: int = 32) -> Any:
    text = {
        "vocab_size": 300,
        "hidden_size": width,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1000000.0},
        "max_position_embeddings": 2048,
    }
    vision = {
        "depth": 1,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_heads": 2,
        "out_hidden_size": width,
        "fullatt_block_indexes": [0],
    }
    config = transformers.Qwen2_5_VLConfig(text_config=text, vision_config=vision)
    return drawn(transformers.Qwen2_5_VLForConditionalGeneration(config), seed=9)


def flux2_klein(folder: Path) -> Path:
    """FLUX.2 Klein, distilled."""
    transformer = diffusers.Flux2Transformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=96,
        timestep_guidance_channels=16,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=False,
    )
    decoder = diffusers.AutoencoderKLFlux2(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=SIDE,
    )
    made = diffusers.Flux2KleinPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=drawn(decoder, seed=3, gain=1.5),
        text_encoder=qwen3_text(layers=28),
        tokenizer=tokenizers.qwen(),
        transformer=drawn(transformer, seed=10),
        is_distilled=True,
    )
    made.save_pretrained(folder)
    return folder


def z_image(folder: Path) -> Path:
    """Z-Image and its Turbo: the same layout."""
    transformer = diffusers.ZImageTransformer2DModel(
        all_patch_size=(2,),
        all_f_patch_size=(1,),
        in_channels=4,
        dim=32,
        n_layers=1,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=32,
        axes_dims=[4, 6, 6],
        axes_lens=[256, 64, 64],
    )
    made = diffusers.ZImagePipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=vae(4),
        text_encoder=qwen3_text(),
        tokenizer=tokenizers.qwen(),
        transformer=drawn(transformer, seed=11),
    )
    made.save_pretrained(folder)
    return folder


def longcat(folder: Path) -> Path:
    """LongCat-Image. The processor of its prompt rewriter is named in `model_index.json`, as in the published one."""
    transformer = diffusers.LongCatImageTransformer2DModel(
        patch_size=1,
        in_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=(4, 6, 6),
    )
    made = diffusers.LongCatImagePipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=vae(16),
        text_encoder=qwen_vl_text(),
        tokenizer=tokenizers.qwen(),
        text_processor=None,
        transformer=drawn(transformer, seed=12),
    )
    made.save_pretrained(folder)
    index = json.loads((folder / "model_index.json").read_text("utf-8"))
    write_json(folder / "model_index.json", index | {"text_processor": ["transformers", "Qwen2_5_VLProcessor"]})
    return folder


def qwen_image(folder: Path) -> Path:
    """Qwen-Image."""
    transformer = diffusers.QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=16,
        out_channels=4,
        num_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        axes_dims_rope=(4, 6, 6),
    )
    decoder = diffusers.AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=4,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    )
    made = diffusers.QwenImagePipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=drawn(decoder, seed=3, gain=1.5),
        text_encoder=qwen_vl_text(),
        tokenizer=tokenizers.qwen(),
        transformer=drawn(transformer, seed=13, gain=3.0),
    )
    made.save_pretrained(folder)
    return folder


def sana(folder: Path) -> Path:
    """Sana in its bf16 variant: a linear transformer, Gemma 2, a decoder that compresses more."""
    transformer = diffusers.SanaTransformer2DModel(
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=16,
        num_layers=2,
        num_cross_attention_heads=2,
        cross_attention_head_dim=16,
        cross_attention_dim=32,
        caption_channels=32,
        sample_size=32,
    )
    decoder = diffusers.AutoencoderDC(
        latent_channels=4,
        attention_head_dim=4,
        encoder_block_types="ResBlock",
        decoder_block_types="ResBlock",
        encoder_block_out_channels=(8, 16),
        decoder_block_out_channels=(8, 16),
        encoder_layers_per_block=(1, 1),
        decoder_layers_per_block=(1, 1),
        encoder_qkv_multiscales=((), ()),
        decoder_qkv_multiscales=((), ()),
        upsample_block_type="interpolate",
        downsample_block_type="stride_conv",
        scaling_factor=0.41407,
    )
    text = transformers.Gemma2Config(
        vocab_size=262,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
    )
    made = diffusers.SanaPipeline(
        scheduler=diffusers.DPMSolverMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
        vae=drawn(decoder, seed=3, gain=1.5),
        text_encoder=drawn(transformers.Gemma2Model(text), seed=14),
        tokenizer=tokenizers.gemma(),
        transformer=drawn(transformer, seed=15, gain=2.0),
    )
    made.save_pretrained(folder, variant="bf16")
    return folder


def glm_image(folder: Path) -> Path:
    """GLM-Image: an autoregressive stage that draws picture tokens, a glyph encoder, a diffusion transformer."""
    from transformers.models.glm_image.image_processing_pil_glm_image import GlmImageImageProcessorPil

    config = transformers.GlmImageConfig(
        text_config={
            "vocab_size": 400,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "vision_vocab_size": 66,
            "eos_token_id": 65,
            "pad_token_id": 66,
            "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0},
        },
        vision_config={"depth": 1, "hidden_size": 16, "num_heads": 2, "intermediate_size": 32, "image_size": 64},
        vq_config={"embed_dim": 8, "num_embeddings": 64, "latent_channels": 16},
        image_token_id=322,
        image_start_token_id=64,
        image_end_token_id=65,
    )
    encoder = drawn(transformers.GlmImageForConditionalGeneration(config), seed=14)
    encoder.generation_config.eos_token_id = None  # untrained, it would end its picture anywhere
    glyphs = transformers.T5Config(vocab_size=384, d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4)
    transformer = diffusers.GlmImageTransformer2DModel(
        patch_size=2,
        in_channels=4,
        out_channels=4,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=4,
        text_embed_dim=32,
        time_embed_dim=32,
        condition_dim=16,
        prior_vq_quantizer_codebook_size=66,
    )
    decoder = diffusers.AutoencoderKL(
        block_out_channels=(8,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=SIDE,
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    made = diffusers.GlmImagePipeline(
        tokenizer=transformers.ByT5Tokenizer(),
        processor=transformers.GlmImageProcessor(GlmImageImageProcessorPil(), tokenizers.glm()),
        text_encoder=drawn(transformers.T5EncoderModel(glyphs), seed=15),
        vision_language_encoder=encoder,
        vae=drawn(decoder, seed=3, gain=1.5),
        transformer=drawn(transformer, seed=16),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
    )
    made.save_pretrained(folder)
    return folder
