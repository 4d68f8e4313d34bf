"""Rewrites the integer convolutions of an ONNX model as matrix products, as the package's docstring draws it.

As a program: ``python -m octavia.engines.voices.convolutions.rewriting SOURCE TARGET``.
"""

import sys
from typing import Any

import numpy as np
import onnx
from onnx import helper

from octavia.engines.voices.convolutions.graph import Graph

_SHIFT = 64
"""Subtracted from each weight, to make it signed."""

_LARGEST = 127
"""The largest weight: less 64, two products fit into the 16 bits in which older processors add them."""


def rewrite(model: onnx.ModelProto) -> int:
    """Rewrite a model in place; return the number of convolutions that became products.

    Raises ``ValueError`` if one is not over time alone, is grouped, has weights above 127, or lacks a cast after it.
    """
    graph = Graph(model.graph)
    convolutions = [node for node in model.graph.node if node.op_type == "ConvInteger"]
    for convolution in convolutions:
        graph.put(_as_product(graph, convolution))
    graph.commit()
    return len(convolutions)


def _as_product(graph: Graph, convolution: Any) -> list[Any]:
    """Return the nodes that replace a convolution and the cast after it by a product."""
    source, weights_name, source_zero, weights_zero = convolution.input
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in convolution.attribute}
    weights = graph.value(weights_name).astype(np.int32)
    zero = int(graph.value(weights_zero))
    if weights.ndim != 3 or attributes.get("group", 1) != 1 or weights.max() > _LARGEST:
        raise ValueError(f"{convolution.name} is a convolution of another kind")
    outputs, inputs, taps = weights.shape
    signed = (weights - _SHIFT).transpose(2, 1, 0).reshape(taps * inputs, outputs).astype(np.int8)
    rows, nodes = _rows(graph, convolution.name, source, source_zero, attributes, taps, inputs)
    output, bias = _after(graph, convolution)
    one = graph.constant("product_scale", np.float32(1))
    product = f"{convolution.name}_product"
    return [
        *nodes,
        helper.make_node(
            "MatMulIntegerToFloat",
            [
                rows,
                graph.constant(f"{weights_name}_signed", np.ascontiguousarray(signed)),
                *(one, one, source_zero),
                graph.constant(f"product_zero_{zero - _SHIFT}", np.int8(zero - _SHIFT)),
                *bias,
            ],
            [product],
            domain="com.microsoft",
        ),
        helper.make_node("Transpose", [product], [output], perm=[0, 2, 1]),
    ]


def _rows(
    graph: Graph, name: str, source: str, zero: str, attributes: dict[str, Any], taps: int, inputs: int
) -> tuple[str, list[Any]]:
    """Return the name of the gathered input and the nodes that gather it.

    Its shape is ``(1, moments, taps * inputs)``: a row holds the numbers that each output of that moment sums over.
    """
    (dilation,), (stride,), pads = attributes["dilations"], attributes["strides"], attributes["pads"]
    by_time = f"{source}_by_time"
    nodes = [helper.make_node("Transpose", [source], [by_time], perm=[0, 2, 1])]
    if any(pads):
        padded = f"{source}_padded_{pads[0]}_{pads[1]}"
        amounts = graph.constant(f"product_pads_{pads[0]}_{pads[1]}", np.array([0, pads[0], 0, 0, pads[1], 0]))
        nodes.append(helper.make_node("Pad", [by_time, amounts, zero], [padded]))
    else:
        padded = by_time
    if taps == stride == 1:
        return padded, nodes
    span = graph.constant(f"product_span_{dilation * (taps - 1)}", np.int64(dilation * (taps - 1)))
    offsets = graph.constant(f"product_taps_{taps}_{dilation}", np.arange(0, taps * dilation, dilation)[None])
    step = graph.constant(f"product_step_{stride}", np.int64(stride))
    first = graph.constant("product_first", np.int64(0))
    last_axis = graph.constant("product_last_axis", np.array([1]))
    shape = graph.constant(f"product_shape_{taps * inputs}", np.array([1, -1, taps * inputs]))
    length, end, starts, column, places, gathered, rows = (
        f"{name}_{part}" for part in ("length", "end", "starts", "column", "places", "gathered", "rows")
    )
    nodes += [
        helper.make_node("Shape", [padded], [f"{length}_1"], start=1, end=2),
        helper.make_node("Squeeze", [f"{length}_1"], [length]),
        helper.make_node("Sub", [length, span], [end]),
        helper.make_node("Range", [first, end, step], [starts]),
        helper.make_node("Unsqueeze", [starts, last_axis], [column]),
        helper.make_node("Add", [column, offsets], [places]),
        helper.make_node("Gather", [padded, places], [gathered], axis=1),
        helper.make_node("Reshape", [gathered, shape], [rows]),
    ]
    return rows, nodes


def _after(graph: Graph, convolution: Any) -> tuple[str, list[str]]:
    """Return the name of the convolution's sums as floats, and the name of the float bias, if one was added to them."""
    (sums,) = convolution.output
    add = graph.only_user(sums, "Add")
    cast = graph.only_user(add.output[0] if add else sums, "Cast")
    if cast is None:
        raise ValueError(f"{convolution.name} is not followed by a cast")
    if add is None:
        return cast.output[0], []
    node = graph.maker[next(name for name in add.input if name != sums)]
    while node.op_type in ("Cast", "Reshape"):
        node = graph.maker[node.input[0]]
    if node.op_type != "Floor":
        raise ValueError(f"the bias of {convolution.name} is not in whole numbers")
    return cast.output[0], [node.output[0]]


def main() -> None:
    """Read the model at the first argument and write the rewritten one to the second."""
    source, target = sys.argv[1:]
    model = onnx.load(source)
    rewrite(model)
    onnx.save(model, target)


if __name__ == "__main__":
    main()
