"""Integer convolutions of an ONNX model as matrix products: the same numbers, sooner.

onnxruntime multiplies unsigned by unsigned bytes in a convolution, and has fast code only for unsigned by signed ones,
and only in matrix products. So each ``ConvInteger`` over time becomes the product of the gathered input rows and its
weights, less 64, which makes them signed; the zero point moves along. The sums are the same whole numbers, taken to
float one step earlier: float32 holds them exactly below 2**24.
"""

import mmap
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import structlog

_VERSION = 1
"""Part of the name under which a rewritten model is kept; to be raised with every change here."""

_SHIFT = 64
_LARGEST = 127
"""Of a weight: less 64, two products fit into the 16 bits in which older processors add them."""

_SECONDS = 300.0

log = structlog.get_logger()


def sped_up(path: Path) -> Path:
    """A copy of a model with its integer convolutions rewritten; ``path`` itself where that is not possible.

    The copy is made once, in a process of its own because that takes several times the model's size in memory, and kept
    in ``.derived`` beside the model's folder. Several processes may ask at once.
    """
    stat = path.stat()
    folder = path.parent.parent / ".derived" / path.parent.name
    kept = folder / f"{path.stem}-{stat.st_size:x}-{stat.st_mtime_ns:x}-{_VERSION}.onnx"
    if kept.is_file():
        return kept
    if not _has_integer_convolutions(path):
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder) as workshop:
            made = Path(workshop) / path.name
            subprocess.run(
                [sys.executable, "-m", __name__, str(path), str(made)],
                check=True,
                timeout=_SECONDS,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            made.replace(kept)
        for other in folder.glob("*.onnx"):
            if other != kept:
                other.unlink(missing_ok=True)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        log.warning("model_not_sped_up", model=path.name, reason=said[-1] if said else type(error).__name__)
        return path
    return kept


def rewrite(model: Any) -> int:
    """Rewrite an ``onnx.ModelProto`` in place; returns how many convolutions are products now.

    Raises:
      ValueError: A convolution is of a kind that this does not know.
    """
    graph = _Graph(model.graph)
    convolutions = [node for node in model.graph.node if node.op_type == "ConvInteger"]
    for convolution in convolutions:
        graph.put(_as_product(graph, convolution))
    graph.commit()
    return len(convolutions)


class _Graph:
    """A graph being edited."""

    def __init__(self, graph: Any) -> None:
        from onnx import numpy_helper

        self._graph = graph
        self._arrays = numpy_helper
        self._constants = {constant.name: constant for constant in graph.initializer}
        self.maker = {output: node for node in graph.node for output in node.output}
        self._users: dict[str, list[Any]] = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self._users[name].append(node)

    def value(self, name: str) -> Any:
        """A constant's array.

        Raises:
          ValueError: It is none.
        """
        if name not in self._constants:
            raise ValueError(f"{name} is not a constant")
        return self._arrays.to_array(self._constants[name])

    def constant(self, name: str, value: Any) -> str:
        """Add a constant unless it is there; returns its name."""
        if name not in self._constants:
            self._constants[name] = self._arrays.from_array(np.asarray(value), name)
        return name

    def only_user(self, name: str, kind: str) -> Any:
        """The one node that takes ``name``, which must be of this kind; None if it is not."""
        users = self._users[name]
        return users[0] if len(users) == 1 and users[0].op_type == kind else None

    def put(self, nodes: Iterable[Any]) -> None:
        """Add nodes; what one of them makes under the name of another node's output replaces that."""
        self.maker |= {name: node for node in nodes for name in node.output}

    def commit(self) -> None:
        """Write the graph anew: what its outputs need, each node after those it needs."""
        nodes = list(self._in_order(output.name for output in self._graph.output))
        used = {name for node in nodes for name in node.input} | {output.name for output in self._graph.output}
        constants = [constant for name, constant in self._constants.items() if name in used]
        copies = [[_copy(item) for item in items] for items in (nodes, constants)]
        for field, items in zip(("node", "initializer"), copies, strict=True):
            self._graph.ClearField(field)
            getattr(self._graph, field).extend(items)
        self._graph.ClearField("value_info")

    def _in_order(self, outputs: Iterable[str]) -> Iterator[Any]:
        seen: set[int] = set()
        for output in outputs:
            stack = [(self.maker[output], iter(self.maker[output].input))]
            while stack:
                node, inputs = stack[-1]
                below = next(
                    (self.maker[name] for name in inputs if name in self.maker and id(self.maker[name]) not in seen),
                    None,
                )
                if below is not None:
                    stack.append((below, iter(below.input)))
                    continue
                stack.pop()
                if id(node) not in seen:
                    seen.add(id(node))
                    yield node


def _as_product(graph: _Graph, convolution: Any) -> list[Any]:
    """The nodes that make by a product what a convolution and the cast behind it make."""
    from onnx import helper

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
    graph: _Graph, name: str, source: str, zero: str, attributes: dict[str, Any], taps: int, inputs: int
) -> tuple[str, list[Any]]:
    """What each output is a sum over, a row of ``taps * inputs`` numbers a moment; and the nodes that gather it."""
    from onnx import helper

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


def _after(graph: _Graph, convolution: Any) -> tuple[str, list[str]]:
    """What the convolution's sums are called once they are floats, and the float bias that was added before, if any."""
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


def _has_integer_convolutions(path: Path) -> bool:
    with path.open("rb") as file:
        if not path.stat().st_size:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(b"ConvInteger") >= 0


def _copy(item: Any) -> Any:
    copy = type(item)()
    copy.CopyFrom(item)
    return copy


def main() -> None:
    """Read the model of the first argument and write the rewritten one to the second."""
    import onnx

    source, target = sys.argv[1:]
    model = onnx.load(source)
    rewrite(model)
    onnx.save(model, target)


if __name__ == "__main__":
    main()
