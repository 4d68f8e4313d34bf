"""An ONNX graph while it is edited: constants, makers and users by name."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any

import numpy as np
from onnx import numpy_helper


class Graph:
    """An ``onnx.GraphProto`` being edited; nothing changes in it before ``commit``.

    Attributes:
      maker: The node that makes each output, by the output's name.
    """

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._constants = {constant.name: constant for constant in graph.initializer}
        self.maker = {output: node for node in graph.node for output in node.output}
        self._users: dict[str, list[Any]] = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self._users[name].append(node)

    def value(self, name: str) -> Any:
        """Return a constant's array; raises ``ValueError`` if ``name`` is not a constant."""
        if name not in self._constants:
            raise ValueError(f"{name} is not a constant")
        return numpy_helper.to_array(self._constants[name])

    def constant(self, name: str, value: Any) -> str:
        """Add a constant unless it exists; return its name."""
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def only_user(self, name: str, kind: str) -> Any:
        """Return the only node that takes ``name``; None if there are more or it is not of this kind."""
        users = self._users[name]
        return users[0] if len(users) == 1 and users[0].op_type == kind else None

    def put(self, nodes: Iterable[Any]) -> None:
        """Add nodes; each takes over the outputs that it shares a name with."""
        self.maker |= {name: node for node in nodes for name in node.output}

    def commit(self) -> None:
        """Write the graph anew: the nodes that its outputs need, each after those it needs itself."""
        nodes = list(self._in_order(output.name for output in self._graph.output))
        used = {name for node in nodes for name in node.input} | {output.name for output in self._graph.output}
        constants = [constant for name, constant in self._constants.items() if name in used]
        for field, items in zip(("node", "initializer"), deepcopy((nodes, constants)), strict=True):
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
