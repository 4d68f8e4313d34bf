"""The rewritten copy: made once, and the model itself where that is impossible."""

import threading
from pathlib import Path

import onnx
import pytest

from octavia.engines.voices.convolutions import derived
from octavia.engines.voices.convolutions.derived import sped_up
from tests.unit.engines.voices.convolutions.samples import model


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "voice" / "model.onnx"
    path.parent.mkdir()
    path.write_bytes(model().SerializeToString())
    return path


def test_sped_up_makes_a_copy_once(path: Path) -> None:
    # When several ask at once
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(sped_up(path))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Then all have the same whole model, and it is not made again
    (copy,) = set(found)
    assert "MatMulIntegerToFloat" in {node.op_type for node in onnx.load(copy).graph.node}
    made = copy.stat().st_mtime_ns
    assert sped_up(path) == copy
    assert copy.stat().st_mtime_ns == made
    # And nothing else is left beside it
    assert list(copy.parent.iterdir()) == [copy]


def test_sped_up_makes_another_copy_of_another_model_in_its_place(path: Path) -> None:
    first = sped_up(path)
    path.write_bytes(model(taps=5).SerializeToString())
    second = sped_up(path)
    assert first != second
    assert list(second.parent.iterdir()) == [second]


@pytest.mark.parametrize("content", [b"", b"no model, but it says ConvInteger"])
def test_sped_up_leaves_other_files_as_they_are(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert sped_up(path) == path


def test_sped_up_leaves_other_convolutions_as_they_are(path: Path) -> None:
    path.write_bytes(model(largest=255).SerializeToString())
    assert sped_up(path) == path


def test_sped_up_leaves_the_model_as_it_is_where_no_copy_can_be_kept(path: Path) -> None:
    (path.parent.parent / ".derived").write_text("in the way")
    assert sped_up(path) == path


def test_sped_up_starts_no_process_for_a_model_without_such_convolutions(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"floats only")
    monkeypatch.setattr(derived.subprocess, "run", lambda *_: pytest.fail("not to be run"))
    assert sped_up(path) == path
