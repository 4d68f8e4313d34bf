"""A model with one integer convolution, as quantizers write it."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNELS, OUTPUTS = 5, 3


def model(
    *, taps: int = 3, stride: int = 1, dilation: int = 1, pads: tuple[int, int] = (0, 0), bias: bool = True, largest=127
) -> onnx.ModelProto:
    """Bytes in, whole-number bias, then to float."""
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
