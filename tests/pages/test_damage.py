"""Damaged input, at random: a build ends well, or names problems and leaves the old site. It never crashes."""

from __future__ import annotations

import random
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ledger.problems import InputError

FILES = (
    "results/numbers.json", "results/exhibits.json", "content/page.toml", "content/sections/01-first/section.toml",
    "content/sections/01-first/clean.md", "content/sections/02-second/distorted.md", "content/taxonomy.toml",
)  # fmt: skip
SHARDS = (
    "", "\0", "\n", '"', "{", "}", "{{", "}}", "{%", "[", "]", ",", ":", "=", "-", "#", "NaN", "1e999", "null", "true",
    "../", "<script>alert(1)</script>", "javascript:alert(1)", "[x](javascript:x)", "\ue0000\ue001", "\ue00099\ue001",
    "é", "\u202e", "'", "\\", "{{ value('nope') }}", "{{ 1 / 0 }}", "{{ page.nope }}", "{{ ledger }}",
    "99999999999999999999",
)  # fmt: skip

damage = st.tuples(
    st.sampled_from(FILES),
    st.integers(0, 10**6),
    st.integers(0, 40),
    st.one_of(st.sampled_from(SHARDS), st.text(max_size=8), st.binary(max_size=6)),
)


def _damaged(content: bytes, at: int, length: int, shard: str | bytes) -> bytes:
    at %= len(content) + 1
    piece = shard if isinstance(shard, bytes) else shard.encode("utf-8", "surrogatepass")
    return content[:at] + piece + content[at + length :]


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(st.lists(damage, min_size=1, max_size=3))
@example([("content/sections/01-first/clean.md", 0, 0, "<script>alert(1)</script>\n\n")])
@example([("content/sections/02-second/distorted.md", 0, 0, "A word <script>alert(1)</script>\n\n")])
def test_damage_is_either_harmless_or_named(small, wounds):
    """A traceback tells an author nothing; a half-written site tells readers something false."""
    whole = {name: (small.root / name).read_bytes() for name in FILES}
    before = small.digest()
    try:
        for name, at, length, shard in wounds:
            small.write(name, _damaged((small.root / name).read_bytes(), at, length, shard))
        try:
            small.build()
        except InputError as error:
            assert error.problems, "refused without a reason"
            for problem in error.problems:
                assert problem.file and problem.message
                assert not Path(problem.file).is_absolute(), f"{problem} names no file of the project"
            assert small.digest() == before, "a refused build touched the old site"
        else:
            for page in ("clean/index.html", "distorted/index.html"):
                assert "<script>alert" not in small.read(page)
            assert b"NaN" not in (small.out / "data/ledger.json").read_bytes()
    finally:
        for name, content in whole.items():
            small.write(name, content)
        small.build()


def test_pictures_cut_anywhere_are_refused_or_whole(small):
    """Every prefix of a picture file is either refused or (when only padding is missing) decodes completely."""
    dice = random.Random(2)
    place = small.root / "content/pictures/garden-distorted.png"
    whole = place.read_bytes()
    small.json("results/exhibits.json", lambda doc: doc["exhibits"]["garden"]["pictures"][1].pop("sha256"))
    for _ in range(12):
        small.write("content/pictures/garden-distorted.png", whole[: dice.randrange(len(whole) - 12)])
        try:
            small.build()
        except InputError as error:
            assert all(problem.field == "exhibits.garden.pictures[1].file" for problem in error.problems)
        else:
            raise AssertionError("a truncated picture was published")
