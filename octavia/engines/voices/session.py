"""ONNX sessions for voices, with few threads and memory returned after each sentence."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime

from octavia.engines.failures import damaged


class Session:
    """An ``onnxruntime.InferenceSession`` on ``threads`` cores, with the part of its interface that voices use.

    It shrinks its memory arena after each run, which costs 3 % of the time. Otherwise onnxruntime keeps the memory of
    the longest sentence: 600 MB more for Kokoro after 24 s of speech.

    Raises ``ModelError`` (``model_damaged``).
    """

    def __init__(self, path: Path, *, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions have no common base
            raise damaged(f"The voice model {path.name} cannot be loaded: {error}") from error
        self._run_options = onnxruntime.RunOptions()
        self._run_options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

    @property
    def inputs(self) -> set[str]:
        """The names of the model's inputs."""
        return {node.name for node in self._session.get_inputs()}

    def run(self, outputs: Sequence[str] | None, feeds: Mapping[str, Any]) -> list[Any]:
        """Compute the named outputs (None for all) from input arrays by name."""
        return list(self._session.run(outputs, feeds, self._run_options))
