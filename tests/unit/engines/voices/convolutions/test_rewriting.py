"""Convolutions as products: the same numbers for every shape, and the model itself where that cannot be."""

import threading
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from octavia.engines.voices.convolutions import rewriting as convolutions
from octavia.engines.voices.convolutions.rewriting import rewrite, sped_up

CHANNELS, OUTPUTS = 5, 3


def model(
    *, taps: int = 3, stride: int = 1, dilation: int = 1, pads: tuple[int, int] = (0, 0), bias: bool = True, largest=127
) -> onnx.ModelProto:
    """A convolution as quantizers write it: bytes in, whole-number bias, then to float."""
    random = np.random.default_rng(7)
    weights = random.integers(0, largest + 1, (OUTPUTS, CHANNELS, taps)).astype(np.uint8)
    constants = {
        "w": weights,
        "w_zero": np.uint8(60),
        "b": np.array([0.5, -3, 7], np.float32),
        "scale": np.float32(0.1),
    }
    attributes = {"strides": [stride], "dilations": [dilation], "pads": list(pads), "kernel_shape": [taps], "group": 1}
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "q_scale", "q_zero"]),
        helper.make_node("ConvInteger", ["q", "w", "q_zero", "w_zero"], ["sums"], name="conv", **attributes),
    ]
    if bias:
        constants["shape"] = np.array([1, -1, 1])
        nodes += [
            helper.make_node("Div", ["b", "scale"], ["b_scaled"]),
            helper.make_node("Floor", ["b_scaled"], ["b_floor"]),
            helper.make_node("Cast", ["b_floor"], ["b_whole"], to=TensorProto.INT32),
            helper.make_node("Reshape", ["b_whole", "shape"], ["b_column"]),
            helper.make_node("Add", ["sums", "b_column"], ["biased"]),
        ]
    nodes += [
        helper.make_node("Cast", ["biased" if bias else "sums"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "scale"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "conv",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, CHANNELS, None])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def run(one: onnx.ModelProto, samples: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(one.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": samples})[0]


@settings(max_examples=40)
@given(
    taps=st.integers(1, 7),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 5),
    pads=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    bias=st.booleans(),
    length=st.integers(40, 90),
)
def test_every_shape_gives_the_same_numbers(taps, stride, dilation, pads, bias, length) -> None:
    # Given a convolution of some shape, and what it makes
    whole = model(taps=taps, stride=stride, dilation=dilation, pads=pads, bias=bias)
    samples = np.random.default_rng(length).normal(size=(1, CHANNELS, length)).astype(np.float32)
    before = run(whole, samples)
    # When it is rewritten
    assert rewrite(whole) == 1
    # Then there is none any more, and all numbers are the same
    assert "ConvInteger" not in {node.op_type for node in whole.graph.node}
    assert np.array_equal(run(whole, samples), before)


def test_weights_that_could_overflow_are_refused() -> None:
    with pytest.raises(ValueError, match="another kind"):
        rewrite(model(largest=255))


class TestTheCopy:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "voice" / "model.onnx"
        path.parent.mkdir()
        path.write_bytes(model().SerializeToString())
        return path

    def test_it_is_made_once_by_whoever_is_first(self, path: Path) -> None:
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

    def test_another_model_in_its_place_gets_another_copy(self, path: Path) -> None:
        first = sped_up(path)
        path.write_bytes(model(taps=5).SerializeToString())
        second = sped_up(path)
        assert first != second
        assert list(second.parent.iterdir()) == [second]

    @pytest.mark.parametrize("content", [b"", b"no model, but it says ConvInteger"])
    def test_what_is_no_model_stays_as_it_is(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        assert sped_up(path) == path

    def test_a_model_of_another_kind_stays_as_it_is(self, path: Path) -> None:
        path.write_bytes(model(largest=255).SerializeToString())
        assert sped_up(path) == path

    def test_where_nothing_can_be_kept_it_stays_as_it_is(self, path: Path) -> None:
        (path.parent.parent / ".derived").write_text("in the way")
        assert sped_up(path) == path

    def test_a_model_without_such_convolutions_costs_nothing(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path.write_bytes(b"floats only")
        monkeypatch.setattr(convolutions.subprocess, "run", lambda *_: pytest.fail("not to be run"))
        assert sped_up(path) == path
