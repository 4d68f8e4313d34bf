"""Cost of traces and of the rows of attempts: submissions and three-stage jobs, by turns in several trees of the code.

Compares this tree without traces with another one (``--base FOLDER``, say the release before), and with itself sending
traces to ``--endpoint``. Each has a process of its own, and they take turns, so that whatever else this machine does
meets all of them. What models do is left out: the job is the protocol alone, each stage at once complete.
"""

import argparse
import json
import statistics
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from octavia import programs

ROOT = Path(__file__).parents[1]

_TREE = Path(__file__).with_name("tracing_tree.py")


class _Tree:
    """A process of one tree of the code that does what it is told, and times it."""

    def __init__(self, root: Path, data: Path, settings: Mapping[str, str]) -> None:
        ours = {"PYTHONPATH": str(root), "OCTAVIA_DATA_DIR": str(data)}
        ours |= {"OCTAVIA_READY_QUEUES": "[]", "OCTAVIA_MAX_QUEUED_JOBS": "1000000"}
        self._process = subprocess.Popen(
            programs.script(_TREE),
            cwd=root,
            env=programs.environment({**ours, **settings}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._read()

    def time(self, work: str) -> tuple[float, float]:
        """Do it once; returns seconds of the clock and of the processor."""
        assert self._process.stdin is not None
        print(work, file=self._process.stdin, flush=True)
        wall, processor = json.loads(self._read())
        return wall, processor

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("a process of the benchmark has ended; see above")
        return line


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--base", type=Path, help="folder of another tree of the code")
    parser.add_argument("--endpoint", help="base URL of a collector")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        kinds: dict[str, tuple[Path, dict[str, str]]] = {"off": (ROOT, {})}
        if arguments.base:
            kinds["base"] = (arguments.base.resolve(), {})
        if arguments.endpoint:
            kinds["on"] = (ROOT, {"OCTAVIA_OTLP_ENDPOINT": arguments.endpoint})
        trees = {name: _Tree(root, Path(folder, name), settings) for name, (root, settings) in kinds.items()}
        try:
            for work in ("submit", "job"):
                _compare(work, trees, arguments.rounds)
        finally:
            for tree in trees.values():
                tree.close()


def _compare(work: str, trees: Mapping[str, _Tree], rounds: int) -> None:
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in trees}
    for turn in range(rounds):
        names = list(trees)
        # Whoever comes first after another one finds other caches.
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            times[name].append(trees[name].time(work))
    first = statistics.median(processor for _, processor in times["off"])
    for name, measured in times.items():
        wall, processor = (statistics.median(column) * 1000 for column in zip(*measured, strict=True))
        share = processor / 1000 / first - 1
        print(
            f"{work:7} {name:5} median {wall:7.2f} ms, of the processor {processor:7.2f} ms ({share:+.1%})", flush=True
        )


if __name__ == "__main__":
    main()
