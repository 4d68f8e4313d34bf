"""Time cold starts, each in a process of its own: help, a short text, a clip, and a worker until it takes messages.

Workers are started for the RabbitMQ of ``OCTAVIA_BROKER_URL``, if that is set, over SQLite.

Prints medians of wall seconds and of processor seconds, those of child processes included. ``--tree FOLDER`` measures
another tree of the code, say the release before, by turns with this one.
"""

import argparse
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from octavia import programs
from octavia.engines.types import SPEECH_RATE
from octavia.media.decode import decode
from octavia.media.encode import Encoder
from octavia.settings import get_settings

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "samples" / "sense_and_sensibility.flac"
CLIP_SECONDS = 10.0
TEXT = ("translate", "--text", "Good morning.", "--from", "en", "--to", "es")


@dataclass(frozen=True, slots=True)
class Start:
    """The time that a start took, in seconds of the clock and of the processor."""

    wall: float
    processor: float


class Tree:
    """A tree of the code, whose commands are run in a folder of their own.

    Parameters:
      broker: The URL of a RabbitMQ, for workers; empty: none.
    """

    def __init__(self, root: Path, folder: Path, broker: str) -> None:
        self._folder = folder
        models = folder / "models"
        models.mkdir()
        for model in get_settings().models_dir.iterdir():
            # Each tree verifies by itself those that lie in its packages: with one record, it would be anew each time.
            if model.name != ".verified":
                (models / model.name).symlink_to(model)
        self._environment = programs.environment(
            {
                "OCTAVIA_MODELS_DIR": str(models),
                "OCTAVIA_DATA_DIR": str(folder / "data"),
                "OCTAVIA_BROKER_URL": "",
                "OCTAVIA_DATABASE_URL": "",
                "OCTAVIA_QUEUE_PREFIX": f"bench-{os.getpid()}-{root.name}",
            }
        )
        # Not by way of the call above, which puts this tree first.
        self._environment["PYTHONPATH"] = str(root)
        self._broker = broker
        self._number = 0

    def command(self, *arguments: str) -> Start:
        """Run a command to its end."""
        with self._started(arguments) as process:
            return self._measured(process)

    def dub(self, clip: Path) -> Start:
        """Dub a clip; the seconds of the engines, summed over the stages, are not counted as wall seconds."""
        self._number += 1
        out = self._folder / f"out-{self._number}"
        arguments = ("dub", str(clip), "--from", "en", "--to", "es", "--json", "--out", str(out))
        with self._started(arguments, stdout=subprocess.PIPE) as process:
            assert process.stdout
            engines = sum(stage["seconds"] for stage in json.load(process.stdout)["stages"].values())
            whole = self._measured(process)
            return Start(whole.wall - engines, whole.processor)

    def worker(self) -> Start:
        """Start a worker for translations and wait until it takes messages."""
        arguments = ("worker", "--queues", "translate", "--slots", "1")
        with self._started(arguments, stderr=subprocess.PIPE, OCTAVIA_BROKER_URL=self._broker) as process:
            assert process.stderr
            for line in process.stderr:
                if b"worker_ready" in line:
                    break
            wall = time.perf_counter() - self._began
            process.terminate()
            process.stderr.read()
            return Start(wall, self._measured(process).processor)

    def prepare(self) -> None:
        """Make the tables that workers need, and compile what is imported, untimed."""
        self.command("db", "upgrade")
        self.command(*TEXT)

    @contextmanager
    def _started(
        self,
        arguments: tuple[str, ...],
        *,
        stdout: int = subprocess.DEVNULL,
        stderr: int = subprocess.DEVNULL,
        **more: str,
    ) -> "Iterator[subprocess.Popen[bytes]]":
        self._began = time.perf_counter()
        process = subprocess.Popen(
            programs.module("octavia", *arguments),
            env=self._environment | more,
            cwd=self._folder,
            stdout=stdout,
            stderr=stderr,
        )
        with process:
            yield process

    def _measured(self, process: "subprocess.Popen[bytes]") -> Start:
        """Wait for the end of a process, and for what it and its children used."""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise SystemExit(f"{process.args!r} ended with {process.returncode}")
        return Start(time.perf_counter() - self._began, used.ru_utime + used.ru_stime)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--tree", type=Path, help="folder of another tree of the code")
    arguments = parser.parse_args()
    broker = get_settings().broker_url
    with TemporaryDirectory(prefix="octavia-bench-") as name:
        clip = Path(name, "clip.wav")
        _write_clip(clip)
        trees: dict[Path, Tree] = {}
        for root in (arguments.tree, ROOT):
            if root is not None:
                folder = Path(name, f"tree-{len(trees)}")
                folder.mkdir()
                trees[root.resolve()] = Tree(root.resolve(), folder, broker)
        for tree in trees.values():
            tree.prepare()
        starts: dict[str, Callable[[Tree], Start]] = {
            "octavia --help": lambda tree: tree.command("--help"),
            "a text of one line translated": lambda tree: tree.command(*TEXT),
            f"a clip of {CLIP_SECONDS:.0f} s dubbed, without the engines' seconds": lambda tree: tree.dub(clip),
        }
        if broker:
            starts["a worker until it takes messages"] = lambda tree: tree.worker()
        for what, start in starts.items():
            taken: dict[Path, list[Start]] = {root: [] for root in trees}
            for _ in range(arguments.runs):
                for root, tree in trees.items():
                    taken[root].append(start(tree))
            for root, found in taken.items():
                wall = statistics.median(each.wall for each in found)
                processor = statistics.median(each.processor for each in found)
                print(f"{root.name:10} {what:60} {wall:5.2f} s, of the processor {processor:5.2f} s", flush=True)


def _write_clip(target: Path) -> None:
    """Write the first seconds of the sample."""
    samples = np.concatenate(list(decode(SAMPLE)))[: int(CLIP_SECONDS * SPEECH_RATE)]
    with Encoder(target, "wav", SPEECH_RATE) as encoder:
        encoder.write(samples)


if __name__ == "__main__":
    main()
