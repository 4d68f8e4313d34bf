"""The weights of a network that was exported to ONNX and quantized, by the names of the modules they belonged to."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

_QUANTIZED = "_quantized"


class BadExport(ValueError):
    """The file is no export of the network, or of another kind of one."""


class Weights:
    """Gives each weight when it is asked for, as 32-bit floats: all at once would take four times the file's size.

    The export keeps a weight's name, or makes one up (``onnx::…``) for that of a matrix product; the product's node is
    named after the module then.

    Parameters:
      path: The ``.onnx`` file, which is read into memory.
      prefixes: What the names of the modules begin with in the file, and not here.

    Raises:
      DecodeError: The file is no ONNX.
    """

    def __init__(self, path: Path, prefixes: tuple[str, ...]) -> None:
        model = onnx.load(path, load_external_data=False)
        graphs = [model.graph]
        # A decoder's two branches, with and without a cache, are graphs within the graph.
        graphs += [part.g for node in model.graph.node for part in node.attribute if part.HasField("g")]
        self._tensors = {tensor.name: tensor for graph in graphs for tensor in graph.initializer}
        self._prefixes = prefixes
        self._named: dict[str, str] = {}
        self._products: dict[str, str] = {}
        for name in self._tensors:
            bare = name.removesuffix(_QUANTIZED)
            if not name.startswith("onnx::") and not bare.endswith(("_scale", "_zero_point")):
                self._named[self._module(bare.replace("_merged_0", ""))] = name
        for graph in graphs:
            for node in graph.node:
                if node.op_type in ("MatMulInteger", "MatMul") and node.input[1].startswith("onnx::"):
                    module = node.name.removesuffix("_quant").removesuffix("/MatMul").strip("/").replace("/", ".")
                    self._products.setdefault(f"{self._module(module)}.weight", node.input[1])

    def __contains__(self, name: str) -> bool:
        return name in self._named or name in self._products

    def __getitem__(self, name: str) -> npt.NDArray[np.float32]:
        """Give a weight, of the shape that it has in a module: (outputs, inputs) of a matrix.

        Raises:
          BadExport: There is none of this name, or it is damaged.
        """
        if name in self._named:
            return self._floats(self._named[name])
        if name in self._products:
            # A product has its matrix the other way round than a module.
            return np.ascontiguousarray(self._floats(self._products[name]).T)
        raise BadExport(f"there is no {name}")

    def _module(self, name: str) -> str:
        for prefix in self._prefixes:
            name = name.removeprefix(prefix)
        return name

    def _floats(self, name: str) -> npt.NDArray[np.float32]:
        values = self._array(name)
        bare = name.removesuffix(_QUANTIZED)
        if bare == name:
            return values
        values -= self._array(f"{bare}_zero_point")
        values *= self._array(f"{bare}_scale")
        return values

    def _array(self, name: str) -> npt.NDArray[np.float32]:
        tensor = self._tensors.get(name)
        if tensor is None:
            raise BadExport(f"there is no {name}")
        if tensor.data_location != onnx.TensorProto.DEFAULT:
            # It would name a file of this machine.
            raise BadExport(f"{name} lies in another file")
        return numpy_helper.to_array(tensor).astype(np.float32)
