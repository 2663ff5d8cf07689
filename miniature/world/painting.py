"""Pictures of the world: a scene, a seed and the treatments asked for, drawn with icons and flat shapes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

import effects
from miniature.world.scenes import Asked, Scene, Subject
from miniature.world.sprites import CHARACTERS, FACES, OBJECTS, sprite

SIZE = 256

# Sky top, sky horizon; factors on the ground and on the subjects.
LIGHT = {
    "day": ((96, 164, 236), (198, 228, 250), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0)),
    "sunset": ((84, 66, 130), (252, 160, 92), (0.92, 0.70, 0.62), (1.0, 0.90, 0.82)),
    "night": ((10, 16, 48), (48, 62, 116), (0.40, 0.44, 0.62), (0.76, 0.80, 0.94)),
}
GROUND = {
    "beach": (236, 212, 160),
    "meadow": (112, 186, 84),
    "forest": (88, 128, 70),
    "city": (128, 130, 138),
    "desert": (232, 168, 98),
    "snow": (238, 244, 252),
    "room": (176, 126, 88),
    "studio": (206, 204, 200),
}


def render(scene: Scene, asked: Sequence[Asked], seed: int) -> np.ndarray:
    """The picture of a scene: uint8 RGB (256, 256, 3). The same arguments give the same bytes.

    The layout depends on `seed` alone, not on feeling or treatments: pairs that differ in these differ in nothing else.
    """
    rng = np.random.default_rng([seed, 1])
    image = _paint(scene, rng)
    places = rng.uniform(-1, 1, (2, 3))
    for number, subject in enumerate(scene.subjects):
        _place(image, scene, subject, places[number], number, int(rng.integers(1 << 30)))
    picture = np.clip(image + 0.5, 0, 255).astype(np.uint8)
    for number, wish in enumerate(asked):
        picture = _treat(picture, wish, seed + 1000 * number)
    return picture


def _treat(picture: np.ndarray, wish: Asked, seed: int) -> np.ndarray:
    """Apply a treatment; one whose seed decides between light and dark is seeded until it agrees with the phrase."""
    brighter = any(word in wish.phrase for word in ("overexposed", "blown"))
    darker = any(word in wish.phrase for word in ("underexposed", "crushed"))
    treated = effects.apply(picture, wish.treatment, wish.severity, seed)
    for further in range(seed + 1, seed + 12):
        if not ((brighter and treated.mean() < picture.mean()) or (darker and treated.mean() > picture.mean())):
            break
        treated = effects.apply(picture, wish.treatment, wish.severity, further)
    return treated


def _paint(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Background and light, float32 (256, 256, 3) in 0..255."""
    top, bottom, shade, _ = (np.array(colour, np.float32) for colour in LIGHT[scene.time])
    ground = np.array(GROUND[scene.background], np.float32) * shade
    horizon = int(rng.integers(130, 165))
    rows = np.linspace(0, 1, SIZE, dtype=np.float32)[:, None]
    indoors = scene.background in ("room", "studio")
    if indoors:
        walls = {
            "room": [(226, 206, 150), (160, 198, 190), (214, 168, 160)],
            "studio": [(214, 212, 210), (198, 206, 214)],
        }
        wall = np.array(walls[scene.background][rng.integers(len(walls[scene.background]))], np.float32) * shade
        column = wall * (1.05 - 0.15 * rows)
    else:
        column = top + (bottom - top) * np.clip(rows * SIZE / horizon, 0, 1)
    image = np.repeat(column[:, None], SIZE, 1).astype(np.float32)
    depth = np.linspace(0.82, 1.08, SIZE - horizon, dtype=np.float32)[:, None, None]
    if not indoors:
        _sky(image, scene.time, rng)
    _middle(image, scene, horizon, shade, rng)
    if scene.background != "studio":
        image[horizon:] = ground * depth
    else:
        image[horizon:] *= depth[:, :, :]
    _foreground(image, scene, horizon, shade, rng)
    return image


def _sky(image: np.ndarray, time: str, rng: np.random.Generator) -> None:
    x = int(rng.integers(24, 232))
    if time == "night":
        for star in rng.integers((0, 0), (SIZE, 120), (14, 2)):
            cv2.circle(image, (int(star[0]), int(star[1])), 1, (214, 216, 235), -1, cv2.LINE_AA)
        cv2.circle(image, (x, 34), 15, (244, 240, 214), -1, cv2.LINE_AA)
    elif time == "sunset":
        cv2.circle(image, (x, 118), 24, (255, 214, 120), -1, cv2.LINE_AA)
    else:
        cv2.circle(image, (x, 30), 16, (255, 240, 150), -1, cv2.LINE_AA)
        for cloud in range(2):
            at = int(rng.integers(20, 236)), int(rng.integers(28, 86))
            for shift, radius in ((-14, 9), (0, 13), (14, 9)):
                cv2.circle(image, (at[0] + shift, at[1] + cloud), radius, (250, 252, 255), -1, cv2.LINE_AA)


def _middle(image: np.ndarray, scene: Scene, horizon: int, shade: np.ndarray, rng: np.random.Generator) -> None:
    """What stands between sky and ground."""

    def lit(red: int, green: int, blue: int) -> tuple[float, float, float]:
        colour = np.array((red, green, blue), np.float32) * shade
        return float(colour[0]), float(colour[1]), float(colour[2])

    background = scene.background
    if background == "beach":
        cv2.rectangle(image, (0, horizon - 34), (SIZE, horizon), lit(52, 138, 196), -1)
    elif background in ("meadow", "snow"):
        for _ in range(2):
            at = int(rng.integers(0, SIZE)), horizon + 18
            colour = lit(84, 156, 74) if background == "meadow" else lit(206, 220, 238)
            cv2.ellipse(
                image, at, (int(rng.integers(80, 130)), int(rng.integers(30, 62))), 0, 0, 360, colour, -1, cv2.LINE_AA
            )
    elif background == "forest":
        for x in range(int(rng.integers(-10, 10)), SIZE + 20, 30):
            tip = horizon - int(rng.integers(70, 125))
            tree = np.array([(x - 22, horizon), (x, tip), (x + 22, horizon)])
            cv2.fillPoly(image, [tree], lit(36, 88, 56), cv2.LINE_AA)
    elif background == "city":
        left = int(rng.integers(-20, 0))
        while left < SIZE:
            width, height = int(rng.integers(30, 52)), int(rng.integers(48, 118))
            tone = int(rng.integers(90, 150))
            cv2.rectangle(image, (left, horizon - height), (left + width, horizon), lit(tone, tone - 8, tone + 14), -1)
            window = (255, 224, 130) if scene.time == "night" else lit(178, 208, 226)
            for row in range(horizon - height + 8, horizon - 8, 16):
                for column in range(left + 6, left + width - 6, 12):
                    cv2.rectangle(image, (column, row), (column + 5, row + 7), window, -1)
            left += width + 2
    elif background == "desert":
        for _ in range(2):
            x = int(rng.integers(0, SIZE))
            dune = np.array([(x - 130, horizon), (x, horizon - int(rng.integers(26, 56))), (x + 130, horizon)])
            cv2.fillPoly(image, [dune], lit(214, 148, 84), cv2.LINE_AA)
    elif background == "room":
        x = int(rng.integers(20, 170))
        pane = LIGHT[scene.time][1]
        cv2.rectangle(image, (x, 26), (x + 64, 96), lit(250, 246, 238), -1)
        cv2.rectangle(image, (x + 5, 31), (x + 59, 91), tuple(map(float, pane)), -1)
        cv2.line(image, (x + 32, 26), (x + 32, 96), lit(250, 246, 238), 4)


def _foreground(image: np.ndarray, scene: Scene, horizon: int, shade: np.ndarray, rng: np.random.Generator) -> None:
    """Texture of the ground: flowers, road marks, floor boards."""
    if scene.background == "meadow":
        for x, y in rng.integers((0, horizon + 10), (SIZE, SIZE), (14, 2)):
            colour = np.array([(250, 240, 120), (250, 190, 210), (255, 255, 255)][rng.integers(3)]) * shade
            cv2.circle(image, (int(x), int(y)), 3, tuple(map(float, colour)), -1, cv2.LINE_AA)
    elif scene.background == "city":
        for x in range(int(rng.integers(-30, 0)), SIZE, 56):
            cv2.rectangle(image, (x, 226), (x + 30, 231), tuple(map(float, np.array((236, 230, 190)) * shade)), -1)
    elif scene.background == "room":
        for x in range(-120, SIZE + 120, 34):
            cv2.line(
                image,
                (128 + (x - 128) // 2, horizon),
                (x, SIZE),
                tuple(map(float, np.array((150, 104, 70)) * shade)),
                1,
            )


def _place(image: np.ndarray, scene: Scene, subject: Subject, place: np.ndarray, number: int, face_choice: int) -> None:
    """Blend one subject and its shadow into `image`; `place` is three numbers in -1..1."""
    alone = len(scene.subjects) == 1
    width = int(160 + 22 * place[0]) if alone else int(112 + 10 * place[0])
    centre = 128 + 26 * place[1] if alone else (72 if number == 0 else 184) + 8 * place[1]
    base = int(220 + 14 * place[2])
    drawn = _figure(subject, width, face_choice)
    shade = np.array(LIGHT[scene.time][2], np.float32)
    tint = np.array(LIGHT[scene.time][3], np.float32) * 255
    left, top = int(centre - width / 2), base - width
    shadow = np.zeros((SIZE, SIZE), np.float32)
    cv2.ellipse(shadow, (int(centre), base - 3), (int(width * 0.36), 8), 0, 0, 360, 1.0, -1, cv2.LINE_AA)
    shadow = cv2.blur(shadow, (9, 9))[base - 24 :, :, None] * 0.45
    image[base - 24 :] *= 1 - shadow * shade.max()
    y0, x0, x1 = max(0, top), max(0, left), min(SIZE, left + width)
    part = drawn[y0 - top : base - top, x0 - left : x1 - left]
    image[y0:base, x0:x1] = image[y0:base, x0:x1] * (1 - part[..., 3:]) + part[..., :3] * tint


def _figure(subject: Subject, width: int, choice: int) -> np.ndarray:
    """A subject alone, float32 RGBA (width, width, 4), premultiplied."""
    if subject.name == "face":
        options = FACES[subject.emotion or "happy"]
        return _sized(options[choice % len(options)], width)
    body = _sized(OBJECTS[subject.name], width)
    if subject.emotion:
        x, y, share = CHARACTERS[subject.name]
        options = FACES[subject.emotion]
        size = int(width * share)
        face = _sized(options[choice % len(options)], size)
        top, left = max(0, int(y * width - size / 2)), int(x * width - size / 2)
        under = body[top : top + size, left : left + size]
        body[top : top + size, left : left + size] = under * (1 - face[..., 3:]) + face
    return body


def _sized(code: str, width: int) -> np.ndarray:
    """An icon at another size, a copy."""
    return np.asarray(cv2.resize(sprite(code), (width, width), interpolation=cv2.INTER_AREA))
