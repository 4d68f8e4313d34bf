"""Every shape of convolution gives the same numbers as a product."""

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octavia.engines.voices.convolutions.rewriting import rewrite
from tests.unit.engines.voices.convolutions.samples import CHANNELS, model


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
