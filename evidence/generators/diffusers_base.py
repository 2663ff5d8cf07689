"""A pipeline of diffusers under fixed settings, from a folder of weights in its published layout.

Noise is drawn on the CPU from the seed of each request, so that it does not depend on device or batch. Pictures that
are none are refused. `StagedLocal` keeps embedding, sampling and decoding apart, for pipelines that take embeddings.

Kernels are chosen by shape, and round by kernel: so a batch is always full, with repeats of its last request that are
thrown away, and texts of another length are sampled apart. A picture then does not depend on its batch mates.
"""

from __future__ import annotations

import copy
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import diffusers
import torch
import transformers
from PIL.Image import Image
from torch import Tensor

from evidence.cards.models import ModelCard
from evidence.generators.refuse import reason_to_refuse
from evidence.interfaces import GenerationFailed, Request
from evidence.registry import GENERATORS, Setting
from evidence.weights import Unavailable, fetch
from ledger.schema import Recipe

Item = TypeVar("Item")

diffusers.utils.logging.disable_progress_bar()  # of loading; that of sampling is turned off at each pipeline
transformers.utils.logging.disable_progress_bar()


class Local(ABC):
    """`pipeline` is the class in diffusers; `omitted` components are never loaded; `always` is told to the recipe."""

    pipeline: ClassVar[str]
    omitted: ClassVar[tuple[str, ...]] = ()
    always: ClassVar[Mapping[str, Setting]] = {}
    options: ClassVar[Mapping[str, Any]] = {}
    denoiser: ClassVar[str] = "transformer"

    def __init__(self, card: ModelCard, settings: dict[str, Setting], device: str) -> None:
        self.card, self.device = card, device
        self._revisions: list[str] = []
        self.pipe = self._placed(self._load(settings), settings)
        self._arrange(settings)

    def under(self, settings: dict[str, Setting], card: ModelCard | None = None) -> Self:
        """The same weights under other settings, or for a card that differs in the strength of its LoRA; loaded again
        only where the settings say which weights."""
        if any(self.settings.get(k) != settings.get(k) for k in ("dtype", "variant", "compile")):
            return type(self)(card or self.card, settings, self.device)
        other = copy.copy(self)
        other.card = card or self.card
        other._arrange(settings)
        return other

    def generate(self, requests: list[Request]) -> list[Image]:
        """One RGB picture for each request, in order. Raises GenerationFailed for the batch that holds a failure."""
        made: list[Image] = []
        for batch in self._batches(requests):
            with self._failures():
                made += self._kept(self._paint(batch))
        return made

    def truncated(self, prompts: list[str], negatives: list[str] | None = None) -> list[bool]:
        """Whether the end of each prompt reaches no text encoder at all."""
        pairs = zip(prompts, negatives or [""] * len(prompts), strict=True)
        return [len(self._tokens(prompt)) > self._window(negative) for prompt, negative in pairs]

    def _window(self, negative: str) -> int:
        """Tokens that are left to a prompt beside this negative prompt."""
        return int(self.settings["max_sequence_length"] or 0)

    def _tokens(self, prompt: str) -> list[int]:
        """As the text encoder with the widest window reads it."""
        return list(self.pipe.tokenizer(prompt).input_ids)

    @abstractmethod
    def _paint(self, requests: list[Request]) -> list[Image]: ...

    def _load(self, settings: dict[str, Setting]) -> Any:
        dtype = getattr(torch, str(settings["dtype"]))
        folder = self._fetch(self.card.weights, self.card.files)
        parts: dict[str, Any] = dict.fromkeys(self.omitted) | dict(self.options)
        if self.card.transformer:
            parts["transformer"] = self._swapped(folder, dtype)
        if settings.get("variant"):
            parts["variant"] = settings["variant"]
        made = getattr(diffusers, self.pipeline)
        pipe = made.from_pretrained(folder, dtype=dtype, local_files_only=True, **parts)
        if self.card.lora:
            add_lora(pipe, self._fetch(self.card.lora))
        return pipe

    def _placed(self, pipe: Any, settings: dict[str, Setting]) -> Any:
        """The pipeline where it computes, quiet, and compiled where the settings say so."""
        pipe.set_progress_bar_config(disable=True)
        pipe.to(self.device)
        if settings.get("compile"):
            getattr(pipe, self.denoiser).compile_repeated_blocks(fullgraph=True)
        return pipe

    def _fetch(self, address: str, files: Sequence[str] = ()) -> Path:
        weights = fetch(address, files, prepare=self.card.prepare)
        self._revisions.append(weights.revision)
        return weights.path

    def _swapped(self, folder: Path, dtype: torch.dtype) -> Any:
        raise Unavailable(f"{self.card.id}: adapter '{self.card.adapter}' cannot replace a transformer")

    def _arrange(self, settings: dict[str, Setting]) -> None:
        self.settings = settings
        apart = {"dtype", "steps", "guidance"}
        weights: dict[str, Setting] = {
            "transformer": self.card.transformer,
            "lora": self.card.lora,
            "lora_scale": self.card.lora_scale if self.card.lora else None,
        }
        told = {k: v for k, v in settings.items() if k not in apart}
        told |= {k: v for k, v in weights.items() if v not in ("", None)}
        self.recipe = Recipe(
            model=self.card.weights,
            revision="+".join(self._revisions),
            adapter=self.card.adapter,
            steps=settings.get("steps"),  # type: ignore[arg-type]
            guidance=settings.get("guidance"),  # type: ignore[arg-type]
            settings=told | dict(self.always),
            dtype=str(settings["dtype"]),
            device=self.device,
        )

    def _batches(self, requests: list[Request]) -> Iterator[list[Request]]:
        for request in requests:
            self._check(request)
        if self.card.lora:  # before each sampling, since the weights may be shared with a card of another strength
            self.pipe.set_adapters(["lora"], [self.card.lora_scale])
        size = self._batch
        yield from (requests[start : start + size] for start in range(0, len(requests), size))

    @property
    def _batch(self) -> int:
        """Pictures that are sampled together."""
        return int(self.settings.get("batch") or 1)

    def _full(self, batch: list[Item]) -> list[Item]:
        return batch + batch[-1:] * (self._batch - len(batch))

    def _check(self, request: Request) -> None:
        """Refuses what the pipeline would ignore without a word."""
        if request.image is not None and not GENERATORS[self.card.adapter].settings.takes_pictures:
            raise GenerationFailed(f"{self.card.label} takes no picture as input")
        if request.negative_prompt and not self._reads_negative():
            raise GenerationFailed(f"{self.card.label} would ignore the negative prompt under these settings")

    def _reads_negative(self) -> bool:
        """Whether a negative prompt does anything under these settings."""
        return "negative_prompt" in self.settings and float(self.settings["guidance"] or 0) > 1

    def _negative(self, request: Request) -> str:
        return request.negative_prompt or str(self.settings.get("negative_prompt") or "")

    def _told(self, requests: list[Request]) -> dict[str, Any]:
        """What every pipeline is told under the same name."""
        return {
            "width": self.settings["width"],
            "height": self.settings["height"],
            "num_inference_steps": self.settings["steps"],
            "generator": self._noise(requests),
        }

    def _noise(self, requests: list[Request]) -> list[torch.Generator]:
        noise = [torch.Generator("cpu") for _ in requests]
        for generator, request in zip(noise, requests, strict=True):
            _ = generator.seed() if request.seed is None else generator.manual_seed(request.seed)
        return noise

    def _kept(self, images: list[Image]) -> list[Image]:
        for place, image in enumerate(images):
            if reason := reason_to_refuse(image):
                raise GenerationFailed(f"picture {place + 1} of {len(images)} is {reason}")
        return images

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except torch.OutOfMemoryError:
            raise GenerationFailed("out of memory on the accelerator: a smaller batch may help") from None


class StagedLocal(Local):
    """A pipeline that takes embeddings: `generate(r)` is `decode(denoise(r))`, to the byte."""

    encoders: ClassVar[tuple[str, ...]]
    image_to_image: ClassVar[str] = ""  # its class in diffusers, where it is not `pipeline` itself

    def _arrange(self, settings: dict[str, Setting]) -> None:
        super()._arrange(settings)
        self._known: dict[tuple[str, str], dict[str, Tensor]] = {}
        self._away: dict[str, Any] = getattr(self, "_away", {})

    def encode(self, requests: list[Request]) -> None:
        """Embeds each distinct prompt once, keeps the embeddings in main memory and frees the accelerator of the text
        encoders; a prompt that was not announced brings them back."""
        for request in requests:
            pair = request.prompt, self._negative(request)
            if pair not in self._known:
                self._known[pair] = {name: self._kept_apart(part) for name, part in self._embedding(*pair).items()}
        self._send_away()

    def denoise(self, requests: list[Request]) -> Tensor:
        """Latents of the requests, on the device."""
        made: list[Tensor] = []
        with self._failures(), torch.inference_mode():
            for batch in self._batches(requests):
                embedded = [self._embedded(request) for request in batch]
                latents: dict[int, Tensor] = {}
                for group in _alike(embedded):
                    full = self._full(group)
                    joined = {name: torch.cat([embedded[i][name] for i in full]) for name in embedded[group[0]]}
                    sampled = torch.split(self._sample([batch[i] for i in full], joined), 1)
                    latents |= zip(group, sampled, strict=False)
                made += [latents[place] for place in range(len(batch))]
        return torch.cat(made)

    def decode(self, latents: object) -> list[Image]:
        """Pictures of the latents, one by one; raises GenerationFailed for those that are none."""
        assert isinstance(latents, Tensor)
        with self._failures(), torch.inference_mode():
            return self._kept([image for one in torch.split(latents, 1) for image in self._pictures(one)])

    def _paint(self, requests: list[Request]) -> list[Image]:
        return self.decode(self.denoise(requests))

    @abstractmethod
    def _embed(self, prompt: str, negative: str) -> dict[str, Tensor]:
        """Named arguments of the pipeline, with a batch axis of 1."""

    def _sample(self, requests: list[Request], embedded: dict[str, Tensor]) -> Tensor:
        return self._latents(requests, embedded)

    def _latents(self, requests: list[Request], embedded: dict[str, Any], **more: Any) -> Tensor:
        """What the pipeline makes of embeddings, and of pictures where it starts from some; `more` is what only some
        are told."""
        pipe, told = self.pipe, self._told(requests) | {"guidance_scale": self.settings.get("guidance")} | more
        if images := [request.image.convert("RGB") for request in requests if request.image]:
            pipe, told = self._editor(), self._from_pictures(told, images)
        made = pipe(**embedded, **told, output_type="latent", return_dict=False)
        return made[0]  # type: ignore[no-any-return]

    def _editor(self) -> Any:
        """The pipeline of image-to-image, on the same weights."""
        if not self.image_to_image:
            return self.pipe
        pipe = getattr(diffusers, self.image_to_image)(**self._components(), **self.options)
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def _components(self) -> dict[str, Any]:
        return dict(self.pipe.components)

    def _from_pictures(self, told: dict[str, Any], images: list[Image]) -> dict[str, Any]:
        """What image-to-image is told; a pipeline without a strength takes pictures of any size as references."""
        if "strength" not in self.settings:
            return told | {"image": images}
        resize, size = self.pipe.image_processor.resize, (told["height"], told["width"])
        return told | {"image": [resize(image, *size) for image in images], "strength": self.settings["strength"]}

    def _pictures(self, latents: Tensor) -> list[Image]:
        vae = self.pipe.vae
        scaled = self._unscaled(latents.to(vae.dtype))
        return self.pipe.image_processor.postprocess(vae.decode(scaled, return_dict=False)[0])  # type: ignore[no-any-return]

    def _unscaled(self, latents: Tensor) -> Tensor:
        """As the decoder was trained to read them."""
        config = self.pipe.vae.config
        return latents / config.scaling_factor + config.shift_factor  # type: ignore[no-any-return]

    def _embedded(self, request: Request) -> dict[str, Tensor]:
        pair = request.prompt, self._negative(request)
        known = self._known.get(pair) or self._embedding(*pair)
        return {name: part.to(self.device, non_blocking=True) for name, part in known.items()}

    def _kept_apart(self, part: Tensor) -> Tensor:
        """In main memory, from which a GPU fetches it without making the sampler wait."""
        held = part.cpu()
        return held.pin_memory() if self.device.startswith("cuda") else held

    def _embedding(self, prompt: str, negative: str) -> dict[str, Tensor]:
        for name, encoder in self._away.items():
            setattr(self.pipe, name, encoder.to(self.device))
        self._away.clear()
        with torch.inference_mode():
            return self._embed(prompt, negative)

    def _send_away(self) -> None:
        here = [name for name in self.encoders if getattr(self.pipe, name) is not None]
        for name in here:
            self._away[name] = getattr(self.pipe, name).to("cpu")
            setattr(self.pipe, name, None)
        if here and torch.cuda.is_available():
            torch.cuda.empty_cache()


def _alike(embedded: list[dict[str, Tensor]]) -> list[list[int]]:
    """Places of the texts that fit into one tensor: equal shapes, and as many tokens of a negative prompt."""
    groups: dict[object, list[int]] = {}
    for place, parts in enumerate(embedded):
        shapes = tuple((name, part.shape) for name, part in parts.items())
        negative = int(parts["negative_tokens"]) if "negative_tokens" in parts else 0
        groups.setdefault((shapes, negative), []).append(place)
    return list(groups.values())


def add_lora(pipe: Any, folder: Path) -> None:
    """Adds a LoRA named `lora` in one of its two published forms.

    PEFT's folder (`adapter_config.json`, `adapter_model.safetensors`) or diffusers' single file. A file of the second
    form that does not say its alpha is refused: reading would take the rank for it, and halve or double the strength.
    """
    if config := next(folder.rglob("adapter_config.json"), None):
        _add_peft(pipe, config)
    else:
        _add_diffusers(pipe, folder)


def _add_peft(pipe: Any, config: Path) -> None:
    from safetensors.torch import load_file

    weights = load_file(config.with_name("adapter_model.safetensors"))
    plain = {name.removeprefix("base_model.model."): part for name, part in weights.items()}
    told = json.loads(config.read_text("utf-8"))
    keys = "r", "lora_alpha", "target_modules", "rank_pattern", "alpha_pattern", "use_rslora", "use_dora", "lora_bias"
    metadata = {key: told[key] for key in keys if told.get(key) is not None}
    pipe.transformer.load_lora_adapter(plain, prefix=None, adapter_name="lora", metadata=metadata)


def _add_diffusers(pipe: Any, folder: Path) -> None:
    from safetensors import safe_open

    file = folder if folder.is_file() else next(folder.glob("*.safetensors"), None)
    if file is None:
        raise Unavailable(
            f"{folder} holds no LoRA", "a .safetensors file, or PEFT's adapter_config.json and its weights"
        )
    with safe_open(file, "pt") as opened:
        names, told = list(opened.keys()), opened.metadata() or {}
        says_alpha = "lora_adapter_metadata" in told or any(name.endswith("alpha") for name in names)
    if not says_alpha:
        raise Unavailable(
            f"{file.name} does not say its alpha, so its strength is unknown", "save it with its metadata"
        )
    pipe.load_lora_weights(file.parent, weight_name=file.name, adapter_name="lora", local_files_only=True)
