"""Renditions: right size, right form, made once, upright, and evidence bytes untouched where they can be."""

from __future__ import annotations

import hashlib
import io
import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import effects
from pages.images import headers
from pages.images.jobs import FILED, PLACE, Codec, EncodeJob, GeneratedImage
from pages.images.library import ImageLibrary, inside
from pages.source.load import load

CODEC = Codec(widths=(100, 200, 400))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "content/pictures").mkdir(parents=True)
    return tmp_path


class Ordered(ImageLibrary):
    """A library with the jobs that pages would ask it for."""

    def __init__(self, root: Path, codec: Codec) -> None:
        super().__init__(root, codec)
        self.jobs: dict[str, EncodeJob] = {}

    def request(self, job: EncodeJob) -> EncodeJob:
        return self.jobs.setdefault(job.key, job)


def _scene(width: int, height: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)], -1).astype(np.uint8)


def _save(root: Path, name: str, image: Image.Image, **options: object) -> str:
    image.save(root / "content/pictures" / name, **options)
    return f"content/pictures/{name}"


def _make(root: Path, book: Ordered) -> dict[str, Image.Image]:
    assert book.make(book.missing(book.jobs.values()), 1) == []
    files = book.files(book.jobs.values())
    return {
        address.split("/")[-1]: Image.open(file) for address, (file, _) in files.items() if address.startswith(PLACE)
    }


def test_widths_below_the_picture_and_its_own(root):
    """Enlarging wastes bytes and invents pixels; a width close to the picture's own is not worth a file."""
    book = Ordered(root, CODEC)
    book.request(book.plan(_save(root, "a.png", Image.fromarray(_scene(420, 210)))))
    made = _make(root, book)
    assert sorted((image.size, image.format) for image in made.values()) == [
        ((100, 50), "AVIF"), ((200, 100), "AVIF"), ((400, 200), "AVIF"), ((400, 200), "JPEG"),
    ]  # fmt: skip


def test_the_page_knows_sizes_before_anything_is_encoded(root):
    book = Ordered(root, CODEC)
    shown = book.request(book.plan(_save(root, "a.png", Image.fromarray(_scene(300, 150)))))
    assert shown.widest[1:] == (300, 150)
    assert len(book.missing(book.jobs.values())) == 1
    ((kind, srcset),) = shown.sources
    assert kind == "image/avif"
    assert [part.split()[1] for part in srcset.split(", ")] == ["100w", "200w", "300w"]
    assert shown.fallback[0].endswith(".jpg")


def test_a_small_web_picture_is_published_byte_for_byte(root):
    """The ledger's sha256 is then the sha256 of what a reader downloads."""
    path = _save(root, "a.webp", Image.fromarray(_scene(256, 256)), quality=60)
    book = Ordered(root, CODEC)
    shown = book.request(book.plan(path))
    _make(root, book)
    ((name, _),) = book.files(book.jobs.values()).values()
    file = Path(name)
    assert shown.filed == shown.fallback[0]
    assert file.name.startswith(hashlib.sha256(file.read_bytes()).hexdigest()[:20])
    assert file.read_bytes() == (root / path).read_bytes()


def test_a_small_avif_keeps_its_bytes_and_gets_a_fallback(root):
    path = _save(root, "a.avif", Image.fromarray(_scene(256, 256)))
    book = Ordered(root, CODEC)
    shown = book.request(book.plan(path))
    made = _make(root, book)
    assert sorted(image.format for image in made.values()) == ["AVIF", "JPEG"]
    assert shown.sources[0][0] == "image/avif" and shown.fallback[0].endswith(".jpg")


def test_an_animation_of_one_frame_keeps_its_pixels(root):
    """Converters of GIF write them: in WebP the pixels then lie in a frame, which is no part of a still."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return kind + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2)

    still = io.BytesIO()
    Image.fromarray(_scene(64, 48)).save(still, "WEBP", lossless=True)
    size = (63).to_bytes(3, "little") + (47).to_bytes(3, "little")
    frame = chunk(b"ANMF", bytes(6) + size + bytes(4) + still.getvalue()[12:])
    chunks = b"WEBP" + chunk(b"VP8X", b"\2\0\0\0" + size) + chunk(b"ANIM", bytes(6)) + frame
    (root / "content/pictures/a.webp").write_bytes(chunk(b"RIFF", chunks))
    book = Ordered(root, CODEC)
    book.request(book.plan("content/pictures/a.webp"))
    for image in _make(root, book).values():
        assert np.abs(np.asarray(image.convert("RGB"), int) - _scene(64, 48)).mean() < 8


def test_what_was_made_is_not_made_again(root):
    path = _save(root, "a.png", Image.fromarray(_scene(300, 150)))
    book = Ordered(root, CODEC)
    book.request(book.plan(path))
    _make(root, book)
    book.save(book.jobs.values())
    again = Ordered(root, CODEC)
    again.request(again.plan(path))
    assert again.missing(again.jobs.values()) == []


@pytest.mark.parametrize(
    "codec", [Codec(widths=(100, 200, 401)), Codec(widths=CODEC.widths, avif_quality=50)], ids=["widths", "quality"]
)
def test_other_settings_are_other_files(root, codec):
    path = _save(root, "a.png", Image.fromarray(_scene(300, 150)))
    first, second = Ordered(root, CODEC), Ordered(root, codec)
    assert first.plan(path).fallback != second.plan(path).fallback


def test_a_changed_picture_is_another_file_even_with_the_same_size_and_time(root):
    """Editors and git keep neither the inode nor the change time; size and modification time alone would be fooled."""
    import os

    path = _save(root, "a.bmp", Image.fromarray(_scene(300, 150)))
    book = Ordered(root, CODEC)
    first = book.request(book.plan(path)).fallback
    book.save(book.jobs.values())
    stat = (root / path).stat()
    other = root / "content/pictures/b.bmp"
    Image.fromarray(_scene(300, 150)[::-1].copy()).save(other)
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(root / path)
    assert (root / path).stat().st_size == stat.st_size
    assert Ordered(root, CODEC).plan(path).fallback != first


def test_transparency_survives_with_a_webp_fallback(root):
    scene = np.dstack([_scene(300, 150), np.full((150, 300), 90, np.uint8)])
    book = Ordered(root, CODEC)
    book.request(book.plan(_save(root, "a.png", Image.fromarray(scene))))
    made = _make(root, book)
    assert {image.format for image in made.values()} == {"AVIF", "WEBP"}
    assert all(np.asarray(image.convert("RGBA"))[..., 3].mean() == pytest.approx(90, abs=3) for image in made.values())


def test_hidden_colours_do_not_show_at_the_edge_of_transparency(root):
    """Averaged with the black that programs leave behind full transparency, a white disc gets a grey rim."""
    y, x = np.mgrid[0:300, 0:300]
    disc = np.hypot(x - 150, y - 150) < 110
    white = np.dstack([np.where(disc, 255, 0).astype(np.uint8)] * 4)
    book = Ordered(root, CODEC)
    book.request(book.plan(_save(root, "a.png", Image.fromarray(white))))
    for name, image in _make(root, book).items():
        pixels = np.asarray(image.convert("RGBA"))
        assert pixels[pixels[..., 3] > 16][:, :3].min() >= 240, name
        assert pixels[0, 0, 3] < 8 and pixels[image.height // 2, image.width // 2, 3] > 247


def test_a_small_transparent_avif_gets_a_fallback_that_keeps_it(root):
    scene = np.dstack([_scene(256, 256), np.full((256, 256), 90, np.uint8)])
    book = Ordered(root, CODEC)
    book.request(book.plan(_save(root, "a.avif", Image.fromarray(scene))))
    made = _make(root, book)
    assert sorted(image.format for image in made.values()) == ["AVIF", "WEBP"]
    assert all(np.asarray(image.convert("RGBA"))[..., 3].mean() == pytest.approx(90, abs=3) for image in made.values())


SECRETS = (b"GPS-48.1351N", b"Jane Doe", b"a comment", b"<x:xmpmeta")


def _private(form: str, size: tuple[int, int]) -> bytes:
    """A photo that says where, when and by whom it was taken, in every way its form has."""
    exif = Image.Exif()
    exif[0x013B] = "Jane Doe"
    exif.get_ifd(0x8825)[29] = "GPS-48.1351N"
    options: dict[str, object] = {"exif": exif, "xmp": b"<x:xmpmeta/>"}
    if form == "PNG":
        text = PngInfo()
        text.add_text("Comment", "a comment")
        text.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
        options = {"exif": exif, "pnginfo": text}
    if form == "JPEG":
        options |= {"comment": b"a comment", "progressive": True}
    stream = io.BytesIO()
    Image.fromarray(_scene(*size)).save(stream, form, **options)
    return stream.getvalue() + (b"Jane Doe" if form in ("JPEG", "PNG") else b"")


@pytest.mark.parametrize("size", [(300, 150), (600, 300)], ids=["small", "large"])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_nothing_private_is_published(root, form, size):
    """Phones write the place into every photo; a page must not tell where somebody lives."""
    content = _private(form, size)
    assert any(secret in content for secret in SECRETS)
    (root / "content/pictures/photo").write_bytes(content)
    book = Ordered(root, CODEC)
    shown = book.request(book.plan("content/pictures/photo"))
    assert book.make(book.missing(book.jobs.values()), 1) == []
    files = {address: Path(file).read_bytes() for address, (file, _) in book.files(book.jobs.values()).items()}
    for address, published in files.items():
        assert not any(secret in published for secret in SECRETS), address
        assert b"Exif" not in published and b"Photoshop" not in published, address
    filed = Image.open(io.BytesIO(files[shown.filed]))
    if form in ("JPEG", "PNG", "WEBP"):
        assert np.array_equal(np.asarray(filed), np.asarray(Image.open(io.BytesIO(content)))), "not a pixel is lost"


def test_a_link_leads_to_the_bytes_that_were_filed(root):
    """A rendition of 1280 pixels is not what was filed; a reader who doubts the evidence wants the file itself."""
    book = Ordered(root, CODEC)
    path = _save(root, "a.png", Image.fromarray(_scene(900, 450)))
    shown = book.request(book.plan(path))
    assert book.make(book.missing(book.jobs.values()), 1) == []
    assert shown.filed.startswith(FILED)
    assert Path(book.files(book.jobs.values())[shown.filed][0]).read_bytes() == (root / path).read_bytes()


@pytest.mark.parametrize(("size", "mode", "form"), [((60, 33_000), "RGB", "AVIF"), ((60, 17_000), "RGBA", "WEBP")])
def test_a_picture_too_tall_for_the_codecs_is_refused_by_name(root, size, mode, form):
    path = _save(root, "tower.png", Image.new(mode, size, "red"))
    with pytest.raises(ValueError, match=rf"'tower.png' would be published at 60x{size[1]}, where {form} holds"):
        Ordered(root, CODEC).plan(path)


def test_an_edit_that_puts_size_and_time_back_is_seen(root):
    """exiftool -P -overwrite_original_in_place does it: same size, same modification time, same inode."""
    import os

    path = _save(root, "a.bmp", Image.fromarray(_scene(300, 150)))
    place = root / path
    os.utime(place, (1, 1))
    book = Ordered(root, CODEC)
    before = book.inspect(path)
    book.save(book.jobs.values())
    with place.open("r+b") as file:
        file.seek(-9, io.SEEK_END)
        file.write(b"changed")
    os.utime(place, (1, 1))
    assert Ordered(root, CODEC).inspect(path).sha256 != before.sha256


@pytest.mark.parametrize(("on_disk", "asked"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_a_name_is_found_in_either_form_of_unicode(root, on_disk, asked):
    """macOS decomposes the umlauts of file names; keyboards compose them."""
    name = "Müller/Straße.png"
    (root / "content/pictures" / unicodedata.normalize(on_disk, "Müller")).mkdir()
    path = _save(root, unicodedata.normalize(on_disk, name), Image.fromarray(_scene(30, 20)))
    book = Ordered(root, CODEC)
    assert book.resolve_file(unicodedata.normalize(asked, name)) == path
    assert book.resolve_file(unicodedata.normalize(asked, f"content/pictures/{name}")) == path
    assert book.plan(unicodedata.normalize(asked, f"content/pictures/{name}")).path == path


def test_grey_and_sixteen_bit_and_palette_pictures_are_read(root):
    grey = _scene(300, 150)[..., 0]
    for name, image in {
        "grey.png": Image.fromarray(grey),
        "deep.png": Image.fromarray(grey.astype(np.uint16) * 257),
        "palette.png": Image.fromarray(_scene(300, 150)).quantize(64),
    }.items():
        book = Ordered(root, CODEC)
        book.request(book.plan(_save(root, name, image)))
        made = _make(root, book)
        widest = np.asarray(max(made.values(), key=lambda one: one.size).convert("L"), float)
        expected = grey if name != "palette.png" else np.asarray(Image.fromarray(_scene(300, 150)).convert("L"), float)
        assert np.abs(widest - expected).mean() < 8, name


def test_a_picture_taken_sideways_is_published_upright(root):
    """Cameras note the turn in EXIF; AVIF renditions carry none."""
    exif = Image.Exif()
    exif[0x0112] = 6
    book = Ordered(root, CODEC)
    shown = book.request(book.plan(_save(root, "a.jpg", Image.fromarray(_scene(600, 300)), exif=exif)))
    assert shown.widest[1:] == (300, 600)
    made = _make(root, book)
    pixels = np.asarray(next(image for name, image in made.items() if name.endswith("300.avif")).convert("RGB"), float)
    assert np.abs(pixels[:, :, 0] - pixels[:, :1, 0]).mean() < 8, "red grows downwards after a quarter turn"
    assert pixels[-1, :, 0].mean() > 200 and pixels[0, :, 0].mean() < 50


def test_treated_renditions_are_what_effects_make_of_the_picture(root):
    """The label says treatment, severity and seed: the pixels must be those."""
    path = _save(root, "a.png", Image.fromarray(_scene(300, 150)))
    book = Ordered(root, CODEC)
    shown = book.request(book.plan(path, "intentional_blur", 0.8, 3))
    plain = book.request(book.plan(path))
    assert shown.fallback != plain.fallback
    _make(root, book)
    expected = effects.apply(_scene(300, 150), "intentional_blur", 0.8, 3)
    got = cv2.imread(str(root / ".cache/pictures" / shown.fallback[0].split("/")[-1]))[..., ::-1]
    assert np.abs(got.astype(int) - expected).mean() < 4


def test_colours_of_a_profile_are_converted_in_every_rendition(root):
    """Dropped unconverted, the photos of phones turn dull."""
    from tests.effects import profiles

    for name, options in {"a.jpg": {"quality": 95}, "small.webp": {"lossless": True}}.items():
        picture = Image.new("RGB", (600, 300) if name == "a.jpg" else (300, 150), (200, 60, 60))
        path = _save(root, name, picture, icc_profile=profiles.rgb(profiles.P3, (2.2,)), **options)
        book = Ordered(root, CODEC)
        plain, treated = book.plan(path), book.plan(path, "intentional_blur", 0.1, 1)
        for work in (plain, treated):
            book.request(work)
        for image in _make(root, book).values():
            assert np.abs(np.asarray(image).astype(int) - (219, 37, 49)).max() <= 6
            assert "icc_profile" not in image.info


@pytest.mark.parametrize(
    "changed", ["numpy", "pillow", "opencv-python-headless", "effects/decode.py", "pages/images/encode.py"]
)
def test_other_code_and_other_libraries_are_other_files(root, monkeypatch, changed):
    """A rendition that an older decoder or codec made must not pass as one of today's."""
    import shutil

    from pages.images import library

    path = _save(root, "a.png", Image.fromarray(_scene(300, 150)))
    before = Ordered(root, CODEC).plan(path).fallback
    if changed.endswith(".py"):
        for name in ("effects", "pages"):
            shutil.copytree(library.CODE / name, root / "code" / name)
        with (root / "code" / changed).open("a") as file:
            file.write("# changed\n")
        monkeypatch.setattr(library, "CODE", root / "code")
    else:
        version = library._version
        monkeypatch.setattr(library, "_version", lambda package: version(package) + "1" * (package == changed))
    assert Ordered(root, CODEC).plan(path).fallback != before


def test_other_severity_and_other_seed_are_other_files(root):
    path = _save(root, "a.png", Image.fromarray(_scene(300, 150)))
    book = Ordered(root, CODEC)
    assert len({book.plan(path, "intentional_blur", s, n).fallback for s in (0.4, 0.5) for n in (1, 2)}) == 4


def _draw(root: Path, inputs) -> np.ndarray:
    return np.full((40, 60, 3), inputs["grey"], np.uint8)


def test_a_plate_is_drawn_again_when_its_inputs_change(root):
    book = Ordered(root, CODEC)
    one = book.request(book.plan_generated(GeneratedImage("sheet", 60, 40, _draw, {"grey": 90})))
    two = book.request(book.plan_generated(GeneratedImage("sheet", 60, 40, _draw, {"grey": 91})))
    assert one.fallback != two.fallback
    made = _make(root, book)
    assert all(image.size == (60, 40) for image in made.values())


def test_encoders_in_several_processes_give_the_same_bytes(root):
    paths = [_save(root, f"{n}.png", Image.fromarray(_scene(300 + n, 150))) for n in range(4)]
    made = []
    for jobs in (1, 3):
        book = Ordered(root, CODEC)
        for path in paths:
            book.request(book.plan(path))
        for file in (root / ".cache/pictures").glob("*"):
            file.unlink()
        assert book.make(book.missing(book.jobs.values()), jobs) == []
        made.append({address: Path(file).read_bytes() for address, (file, _) in book.files(book.jobs.values()).items()})
    assert made[0] == made[1]


def test_cmyk_and_damaged_metadata_do_not_stop_a_build(root):
    content = io.BytesIO()
    Image.fromarray(_scene(300, 150)).convert("CMYK").save(content, "JPEG")
    (root / "content/pictures/a.jpg").write_bytes(content.getvalue())
    book = Ordered(root, CODEC)
    book.request(book.plan("content/pictures/a.jpg"))
    assert {image.mode for image in _make(root, book).values()} == {"RGB"}


def test_names_outside_the_tree_are_refused(root):
    for path in ("/etc/hostname", "../x.png", "content/../../x"):
        with pytest.raises(ValueError, match="leads out"):
            inside(root, path)


def test_a_scene_hangs_photographs_wherever_new_exhibit_puts_them(small):
    """Those of results/pictures/ were left out, and the scene with them, without a word."""
    picture = (small.root / "content/pictures/garden-clean.jpg").read_bytes()
    small.write("results/pictures/abc.jpg", picture)
    small.json(
        "results/exhibits.json",
        lambda doc: [one.update(file="abc.jpg", sha256=None) for one in doc["exhibits"]["garden"]["pictures"]],
    )
    scene = '[scene]\nname = "snapshots"\nphotographs = "gallery"\n\n[clean]'
    small.replace("content/sections/01-first/section.toml", "[clean]", scene)
    plates = {plate.name: plate for plate in headers.declare(load(small.root))}
    assert plates["head-first"].inputs["scene"] == "snapshots"
    assert "results/pictures/abc.jpg" in plates["head-first"].inputs["photographs"]


def test_no_code_and_no_formula_is_lettered_on_a_plate(small):
    text = "Before $x^2$ it.\n\n```python\nx = 1\n```\n\n$$\n\\frac{a}{b}\n$$\n\nAfter[^a] it [@key].\n\n[^a]: a note\n"
    small.write("content/sections/01-first/clean.md", text)
    plates = {plate.name: plate for plate in headers.declare(load(small.root))}
    assert plates["head-first"].inputs["words"] == "Before it. After it. a note"
