"""How fast the treatments are, as ratios taken in one run on one core; prints a Markdown table.

    python benchmarks/effects.py                     # 768x768, every treatment
    python benchmarks/effects.py --side 256 --only film_artifacts,light_leak

Every treatment runs at severity 0.6 beside
- the calls of OpenCV and StringZilla it is made of, recorded in one run and replayed with their own arguments ("bare"),
- a copy of the picture ("floor"),
- the same effect, or the nearest there is, by AlbumentationsX (or albumentations, its predecessor), kornia and
  imagecorruptions, at the same strength: a tilted frame is filled, the void is what the edges go on to, lost contrast
  takes colour with it.
The last line compares the two ways to look up a table of 256 entries, by StringZilla and by `cv2.LUT`.

Optional installs, in an environment of their own because they are many and old:
    python -m venv bench
    bench/bin/pip install -r requirements/site.txt kornia torch scikit-image numba scipy pyyaml "setuptools<81"
    bench/bin/pip install --no-deps "albumentationsx==2.5.*" albucore numkong imagecorruptions
For the predecessor, instead: albumentations==2.0.8 albucore==0.0.24 simsimd eval-type-backport.

Times are medians of CPU time of the calling thread, with OpenCV and torch on one thread; the candidates of one row take
turns, so that a busy machine slows them alike.
"""

from __future__ import annotations

import argparse
import inspect
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import cv2
import numpy as np
import stringzilla

import effects
from effects.color_transfer import CODES, as_codes, look_up
from effects.textures import clouds, generator

SEVERITY = 0.6
Run = Callable[[], object]


def photograph(side: int) -> np.ndarray:
    """A picture with the spectrum of a photograph and some hard edges, uint8 side x side x 3."""
    rng = generator(1)
    planes = [clouds(rng, side, side, 3, 7) for _ in range(3)]
    shared = clouds(rng, side, side, 4, 7)
    picture = np.rint(255 * (0.3 * np.dstack(planes) + 0.7 * shared[..., None])).astype(np.uint8)
    cv2.circle(picture, (side // 3, side // 2), side // 5, (200, 60, 40), -1, cv2.LINE_AA)
    cv2.rectangle(picture, (side * 5 // 9, side // 4), (side * 8 // 9, side * 3 // 4), (40, 90, 190), -1)
    return picture


@dataclass(frozen=True)
class Slot:
    """An array of the recorded run, or a window of it: its number; shape, dtype, offset and strides of the window."""

    number: int
    window: tuple[tuple[int, ...], np.dtype, int, tuple[int, ...]] | None = None


class Recording:
    """The library calls of a run, with arrays as slots, so that a replay hands on its own results as the run did."""

    def __init__(self) -> None:
        self.calls: list[tuple[Callable[..., Any], list[Any], dict[str, Any], list[int | None]]] = []
        self.given: dict[int, np.ndarray] = {}
        self._slots: dict[int, int] = {}
        self._alive: list[np.ndarray] = []  # or an id could be used twice

    def name(self, value: Any) -> Any:
        """The slot of an array, those of a list of arrays; anything else as it is."""
        if isinstance(value, list):
            return [self.name(entry) for entry in value]
        if not isinstance(value, np.ndarray):
            return value
        whole = value.base if isinstance(value.base, np.ndarray) and id(value.base) in self._slots else value
        if id(whole) not in self._slots:
            self.given[self.add(whole)] = whole.copy()
        if whole is value:
            return Slot(self._slots[id(whole)])
        offset = value.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
        return Slot(self._slots[id(whole)], (value.shape, value.dtype, offset, value.strides))

    def add(self, array: np.ndarray) -> int:
        self._alive.append(array)
        return self._slots.setdefault(id(array), len(self._alive))

    def note(self, function: Callable[..., Any], args: Any, kwargs: dict[str, Any], result: Any) -> None:
        """Add a call that has just been made."""
        made = result if isinstance(result, tuple) else (result,)
        slots = [self.add(value) if isinstance(value, np.ndarray) else None for value in made]
        self.calls.append((function, args, kwargs, slots))

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, which notes each of its calls."""

        def call(*args: Any, **kwargs: Any) -> Any:
            named = self.name(list(args)), {key: self.name(value) for key, value in kwargs.items()}
            result = function(*args, **kwargs)
            self.note(function, *named, result)
            return result

        return call

    def replay(self) -> None:
        """The calls again, with their own arguments, and nothing in between; a result is dropped after its last use."""
        held = dict(self.given)

        def real(value: Any) -> Any:
            if isinstance(value, list):
                return [real(entry) for entry in value]
            if not isinstance(value, Slot):
                return value
            array = held[value.number]
            if value.window is None:
                return array
            shape, dtype, offset, strides = value.window
            return np.ndarray(shape, dtype, array, offset, strides)

        for (function, args, kwargs, slots), spent in zip(self.calls, self._spent, strict=True):
            result = function(*real(args), **{key: real(value) for key, value in kwargs.items()})
            for slot, value in zip(slots, result if isinstance(result, tuple) else (result,), strict=True):
                if slot is not None:
                    held[slot] = value
            del result
            for slot in spent:
                held.pop(slot, None)

    def finish(self) -> None:
        """Note after which call each result is used no more."""
        last: dict[int, int] = {}
        for index, (_, args, kwargs, slots) in enumerate(self.calls):
            named = [*args, *kwargs.values()]
            named += [entry for value in named if isinstance(value, list) for entry in value]
            used = [value.number for value in named if isinstance(value, Slot)]
            last.update(dict.fromkeys([*used, *(slot for slot in slots if slot is not None)], index))
        self._spent = [
            [slot for slot, end in last.items() if end == index and slot not in self.given]
            for index in range(len(self.calls))
        ]
        self._alive.clear()


def bare(run: Run) -> Run:
    """The calls of OpenCV and StringZilla that `run` makes, alone."""
    recording = Recording()
    translate = stringzilla.translate

    def looked_up(image: np.ndarray, table: np.ndarray) -> np.ndarray:
        out = np.empty_like(image)
        translate(image.data, table.data, out=out.data)
        return out

    def translated(text: memoryview, table: memoryview, *, out: memoryview) -> memoryview:
        recording.note(looked_up, recording.name([text.obj, table.obj]), {}, out.obj)
        return translate(text, table, out=out)

    wrapped = [(cv2, name, recording.wrap(value)) for name, value in vars(cv2).items() if inspect.isbuiltin(value)]
    with ExitStack() as patches:
        for module, name, function in [*wrapped, (stringzilla, "translate", translated)]:
            patches.callback(setattr, module, name, getattr(module, name))
            setattr(module, name, function)
        run()
    recording.finish()
    return recording.replay


def medians(candidates: dict[str, Run], seconds: float) -> dict[str, float]:
    """Median CPU seconds of every candidate that works; they take turns until `seconds` each are spent."""
    times: dict[str, list[float]] = {}
    for name, work in candidates.items():
        try:
            work()
            times[name] = []
        except Exception as error:  # a competitor that breaks is a row with a gap, not the end of the run
            print(f"{name} fails: {type(error).__name__}: {str(error)[:110]}", file=sys.stderr)
    end = time.perf_counter() + seconds * len(times)
    while time.perf_counter() < end or any(len(taken) < 15 for taken in times.values()):
        for name, taken in times.items():
            warm = time.perf_counter() + 0.01  # untimed: what ran before must not decide whose code and memory are cold
            candidates[name]()
            while time.perf_counter() < warm:
                candidates[name]()
            for _ in range(5):
                start = time.thread_time_ns()
                candidates[name]()
                taken.append((time.thread_time_ns() - start) / 1e9)
    return {name: statistics.median(taken) for name, taken in times.items()}


def albumentations_effects(image: np.ndarray) -> dict[str, dict[str, Run]]:
    """{treatment: {"albumentations X": run}}, with the argument names of AlbumentationsX or of its predecessor."""
    import albumentations as A

    def one(name: str, **settings: Any) -> Any:
        transform = getattr(A, name)
        known = inspect.signature(transform.__init__).parameters

        def called(setting: str) -> str:
            older = (setting.replace("_range", "_limit"), setting.removesuffix("_range"))
            return next(name for name in (setting, *older) if name in known)

        return transform(**{called(setting): value for setting, value in settings.items()}, p=1)

    side = image.shape[0]
    odd = round(0.16 * SEVERITY * side) | 1
    radius = round(0.05 * SEVERITY * side)
    still, tilted = (0.0, 0.0), {"rotate": (16.0, 16.0), "shear": (6.0, 6.0), "scale": (1.5, 1.5)}
    pale = one("HueSaturationValue", hue_shift_range=still, sat_shift_range=(-90, -90), val_shift_range=still)
    duller = one("RandomBrightnessContrast", brightness_range=(0.1, 0.1), contrast_range=(-0.4, -0.4))
    close_up = {"min_max_height": (round(side / 2.3),) * 2, "size": (side, side), "interpolation": cv2.INTER_CUBIC}
    oppressive = {"brightness_range": (0.9, 0.9), "contrast_range": (0.46, 0.46), "saturation_range": (0.73, 0.73)}
    chosen = {
        "intentional_blur (motion)": [one("MotionBlur", blur_range=(odd, odd))],
        "intentional_blur (defocus)": [one("Defocus", radius_range=(radius, radius))],
        "film_artifacts": [one("GaussNoise", std_range=(0.1, 0.1)), one("ISONoise")],
        "digital_artifacts": [one("ImageCompression", quality_range=(9, 9))],
        "bad_or_no_details": [one("MedianBlur", blur_range=(11, 11)), one("Superpixels")],
        "clashing_disharmony": [
            one("HueSaturationValue", hue_shift_range=(120, 120), sat_shift_range=(80, 80), val_shift_range=still)
        ],
        "chromatic_aberration": [
            one(
                "ChromaticAberration",
                primary_distortion_range=(0.05, 0.05),
                secondary_distortion_range=(0.05, 0.05),
            )
        ],
        "muted_faded": [A.Compose([pale, duller])],
        "sickly_cast": [
            one("RGBShift", r_shift_range=(-40, -40), g_shift_range=(20, 20), b_shift_range=(-60, -60)),
            one("PlanckianJitter"),
        ],
        "exposure_extremes": [one("RandomBrightnessContrast", brightness_range=(0.6, 0.6), contrast_range=still)],
        "light_leak": [one("RandomSunFlare")],
        "harsh_or_insufficient_flash": [one("Illumination", mode="gaussian")],
        "low_contrast_oppressive": [one("ColorJitter", hue_range=still, **oppressive)],
        "unconventional_framing": [one("Affine", **tilted)],
        "unconventional_scale (far)": [one("Affine", scale=(0.29, 0.29), border_mode=cv2.BORDER_REPLICATE)],
        "unconventional_scale (near)": [one("Affine", scale=(2.3, 2.3)), one("RandomSizedCrop", **close_up)],
        "atmospheric_distress": [one("RandomFog")],
        "decay_and_degradation": [one("Spatter")],
        "abstract_photo": [one("Superpixels", p_replace_range=(1, 1), n_segments_range=(60, 60))],
        "surrealism (melting)": [one("ElasticTransform")],
    }
    return {
        name: {f"albumentations {type(t).__name__}": (lambda t=t: t(image=image)["image"]) for t in transforms}
        for name, transforms in chosen.items()
    }


def kornia_effects(image: np.ndarray) -> dict[str, dict[str, Run]]:
    """{treatment: {"kornia X": run}}, uint8 in and out."""
    import kornia.augmentation as K
    import torch

    torch.set_num_threads(1)
    side = image.shape[0]
    odd = round(0.16 * SEVERITY * side) | 1
    chosen = {
        "intentional_blur (motion)": [K.RandomMotionBlur((odd, odd), 30.0, 0.0, p=1)],
        "intentional_blur (defocus)": [K.RandomGaussianBlur((odd // 2 * 2 + 1,) * 2, (8.0, 8.0), p=1)],
        "double_exposure": [K.RandomMixUpV2(lambda_val=(0.4, 0.4), p=1)],
        "film_artifacts": [K.RandomGaussianNoise(0.0, 0.1, p=1)],
        "digital_artifacts": [K.RandomJPEG((9.0, 9.0), p=1)],
        "bad_or_no_details": [K.RandomMedianBlur((5, 5), p=1)],
        "clashing_disharmony": [K.ColorJiggle(0, 0, (2.0, 2.0), (0.4, 0.4), p=1)],
        "muted_faded": [K.RandomSaturation((0.2, 0.2), p=1)],
        "sickly_cast": [K.RandomRGBShift(p=1), K.RandomPlanckianJitter(p=1)],
        "exposure_extremes": [K.RandomBrightness((1.6, 1.6), p=1)],
        "light_leak": [K.RandomPlasmaBrightness(p=1), K.RandomLinearIllumination(p=1)],
        "harsh_or_insufficient_flash": [K.RandomGaussianIllumination(p=1)],
        "low_contrast_oppressive": [K.ColorJiggle((0.9, 0.9), (0.46, 0.46), (0.73, 0.73), 0, p=1)],
        "unconventional_framing": [K.RandomAffine((16.0, 16.0), scale=(1.5, 1.5), shear=(6.0, 6.0), p=1)],
        "unconventional_scale (far)": [K.RandomAffine(0.0, scale=(0.29, 0.29), padding_mode="border", p=1)],
        "unconventional_scale (near)": [K.RandomAffine(0.0, scale=(2.3, 2.3), p=1)],
        "surrealism (melting)": [K.RandomElasticTransform(p=1)],
    }

    def run(transform: Any) -> np.ndarray:
        batch = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
        out = transform(batch.repeat(2, 1, 1, 1) if isinstance(transform, K.RandomMixUpV2) else batch)
        return (out[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()

    return {
        name: {f"kornia {type(t).__name__}": (lambda t=t: run(t)) for t in transforms}
        for name, transforms in chosen.items()
    }


def imagecorruptions_effects(image: np.ndarray) -> dict[str, dict[str, Run]]:
    """{treatment: {"imagecorruptions x": run}}"""
    from imagecorruptions import corrupt

    chosen = {
        "intentional_blur (motion)": ["motion_blur"],
        "intentional_blur (defocus)": ["defocus_blur"],
        "film_artifacts": ["gaussian_noise", "shot_noise"],
        "digital_artifacts": ["jpeg_compression", "pixelate"],
        "clashing_disharmony": ["saturate"],
        "exposure_extremes": ["brightness"],
        "low_contrast_oppressive": ["contrast"],
        "atmospheric_distress": ["fog"],
        "decay_and_degradation": ["spatter"],
        "surrealism (melting)": ["elastic_transform"],
    }
    return {
        name: {
            f"imagecorruptions {c}": (lambda c=c: corrupt(image, corruption_name=c, severity=3)) for c in corruptions
        }
        for name, corruptions in chosen.items()
    }


VARIANTS = {  # seeds that choose each variant of the treatments that have more than one
    "intentional_blur": {"motion": 2, "defocus": 0},
    "surrealism": {"Droste": 0, "melting": 2},
    "unconventional_scale": {"far": 0, "near": 2},
    "obstructed_cropping": {"thumb": 0, "bars": 1, "cut": 7},
}


def rows(only: list[str]) -> Iterator[tuple[str, str, int]]:
    """(row, treatment, seed)."""
    for name in only or effects.TREATMENTS:
        if name in VARIANTS:
            yield from ((f"{name} ({variant})", name, seed) for variant, seed in VARIANTS[name].items())
        else:
            yield name, name, 1


def competitors(image: np.ndarray) -> tuple[dict[str, dict[str, Run]], list[str]]:
    """All competitors' runs by row, and the versions of what is installed."""
    found: dict[str, dict[str, Run]] = {}
    versions = []
    for library, collect in (
        ("albumentations", albumentations_effects),
        ("kornia", kornia_effects),
        ("imagecorruptions", imagecorruptions_effects),
    ):
        try:
            runs = collect(image)
        except ImportError as error:
            versions.append(f"{library} not installed ({error.name})")
            continue
        versions.append(f"{library} {installed(library)}")
        for name, candidates in runs.items():
            found.setdefault(name, {}).update(candidates)
    return found, versions


def installed(library: str) -> str:
    """The version; AlbumentationsX is imported under the name of its predecessor."""
    for name, mark in ((f"{library}x", "X "), (library, "")):
        with suppress(PackageNotFoundError):
            return mark + version(name)
    raise LookupError(library)


def lookups(image: np.ndarray, seconds: float) -> str:
    """StringZilla beside OpenCV, at what most treatments do at least once."""
    table = as_codes(CODES**2)
    taken = medians({"ours": lambda: look_up(image, table), "LUT": lambda: cv2.LUT(image, table)}, seconds)
    ours, lut = (taken[name] * 1e3 for name in ("ours", "LUT"))
    return f"A table of 256 entries: {ours:.3f} ms, by cv2.LUT {lut:.3f} ms, {lut / ours:.1f}x."


def processor() -> str:
    """The processor's own name, where the system tells."""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=768, help="pixels a side (default 768)")
    parser.add_argument("--only", default="", help="treatments, separated by commas (default: all)")
    parser.add_argument("--seconds", type=float, default=0.35, help="time for each candidate (default 0.35)")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    cv2.setNumThreads(1)
    image = photograph(options.side)
    megapixels = options.side**2 / 1e6
    rivals, versions = competitors(image)
    print(f"{options.side}x{options.side} RGB, severity {SEVERITY}, one thread, median CPU time. {processor()}.")
    print(
        f"Python {platform.python_version()}, OpenCV {cv2.__version__}, numpy {np.__version__}; {', '.join(versions)}\n"
    )
    print("| treatment | ms | MP/s | bare calls, ms | times bare | times floor | fastest competitor, MP/s | gain |")
    print("|---|---|---|---|---|---|---|---|")
    target = np.empty_like(image)
    for row, name, seed in rows([n for n in options.only.split(",") if n]):

        def treat(name: str = name, seed: int = seed) -> object:
            return effects.apply(image, name, SEVERITY, seed)

        treat()
        candidates = {
            "ours": treat,
            "bare": bare(treat),
            "floor": lambda: np.copyto(target, image),
            **rivals.get(row, {}),
        }
        taken = medians(candidates, options.seconds)
        rival = min(
            (name for name in taken if name not in ("ours", "bare", "floor")), key=taken.__getitem__, default=""
        )
        ours, copy = taken["ours"], taken["floor"]
        theirs = f"{rival}, {megapixels / taken[rival]:.0f} | {taken[rival] / ours:.1f}x" if rival else "none |"
        speed = f"{ours * 1e3:.3f} | {megapixels / ours:.0f} | {taken['bare'] * 1e3:.3f} | {ours / taken['bare']:.2f}"
        print(f"| {row} | {speed} | {ours / copy:.0f} | {theirs} |", flush=True)
    print(f"\n{lookups(image, options.seconds)}")


if __name__ == "__main__":
    main()
