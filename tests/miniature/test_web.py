"""The models for browsers: files that a host can serve, of the shipped weights, written without torch."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ledger.problems import InputError
from miniature.shipping import onnx_graph, pack, web

ROOT = Path(__file__).parents[2]


def test_torch_is_not_needed_to_make_the_files() -> None:
    asked = "import sys, miniature.shipping.web; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], cwd=ROOT).returncode == 0


def test_without_the_runtime_the_command_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="make web"):
        web.write(ROOT, tmp_path)


def test_every_file_is_named_by_its_content_and_small_enough_for_any_host(drawing_project: Path) -> None:
    folder = drawing_project / web.OUT
    manifest = json.loads((folder / "draw.json").read_text())
    assert sorted(manifest["files"]) == sorted(path.name for path in folder.iterdir() if path.name != "draw.json")
    for name in manifest["files"]:
        content = (folder / name).read_bytes()
        assert name.rpartition(".")[0].endswith(web.digest(content)[:10])
        assert len(content) < 15e6
    assert max(manifest["bytes"].values()) < 30e6  # what a reader's browser loads, whichever of both computes

    parts = manifest["addresses"]["models"]["transformer"]
    graph = gzip.decompress(b"".join((folder / part).read_bytes() for part in parts))
    key = "transformer_blocks.0.ff.net.2.weight"
    assert pack.named(pack.SHIPPED, "transformer")[key].tobytes() in graph  # int8, as it is shipped


def test_numbers_are_written_as_protocol_buffers_write_them() -> None:
    assert onnx_graph._varint(300) == b"\xac\x02"
    assert onnx_graph._varint(-1) == b"\xff" * 9 + b"\x01"
    assert onnx_graph._field(1, 150) == b"\x08\x96\x01"
    assert onnx_graph._field(2, "testing") == b"\x12\x07testing"
    graph = onnx_graph.Graph({"w": np.ones((2, 3), np.int8), "w" + pack.SCALE: np.ones((2, 1), np.float16)})
    graph.output("y", graph.op("MatMul", graph.input("x", "float32", ("n", 2)), graph.weight("w")), ("n", 3))
    assert b"\x08\x02\x08\x03\x10\x03" in graph.serialise()  # dims 2 and 3, int8
