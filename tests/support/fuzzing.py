"""Fuzzing: calls parsers with made-up input in a process of its own, and keeps every input that broke one.

An input is written down before the parser gets it, so one that ends the process is kept as well. The kernel ends a
process that spends ``HANG`` seconds of processor time on one input, even inside a library's C code.
"""

import argparse
import hashlib
import importlib
import json
import logging
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import structlog
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.support.hostile import mutated

HANG = 10
"""Seconds of processor time after which a parser is stopped."""

SLOW = 3.0
"""Seconds of processor time that no input may need; none is larger than ``LARGEST``."""

LARGEST = 64 * 1024
"""Bytes."""

MEMORY = 4 * 1024**3
_BATCH = 100
_ENOUGH = 20
"""Inputs that broke a parser, after which it gets no more."""

_CURRENT = "current"


@dataclass(frozen=True)
class Target:
    """A parser.

    Attributes:
      inputs: Makes its inputs.
      call: Gives it one, and checks what it returns by ``assert``.
      refuses: The errors by which it may refuse an input.
    """

    inputs: st.SearchStrategy[bytes]
    call: Callable[[bytes], object]
    refuses: tuple[type[Exception], ...] = ()


@dataclass(frozen=True)
class Found:
    """An input that broke a parser: where it is kept, and what happened."""

    path: Path
    what: str


def fuzz(
    names: Sequence[str],
    folder: Path,
    *,
    seconds: float = 0,
    examples: int = 0,
    hang: int = HANG,
    targets: str = "tests.support.fuzz_targets",
) -> list[Found]:
    """Call parsers with the inputs kept in a folder, then with new ones; returns those that broke one.

    Parameters:
      names: Keys of ``TARGETS`` in the module ``targets``.
      folder: Keeps inputs in a folder for each parser.
      seconds: Processor time for new inputs, divided among the parsers; they are other ones each time.
      examples: Without ``seconds``: so many for each parser, always the same ones.
      hang: Seconds of processor time after which an input's parser is stopped.
    """
    found: list[Found] = []
    left = list(names)
    options = {
        "targets": targets,
        "folder": folder,
        "seconds": seconds / len(left),
        "examples": examples,
        "hang": hang,
    }
    while left:
        run = subprocess.run(
            [
                *(sys.executable, "-P", "-m", "tests.support.fuzzing"),
                *(f"--{name}={value}" for name, value in options.items()),
                *left,
            ],
            cwd=Path(__file__).parents[2],
            env={"PYTHONPATH": ".", "PATH": os.defpath, "HOME": str(folder), "OCTAVIA_DATA_DIR": str(folder)},
            capture_output=True,
            text=True,
            errors="replace",
        )
        reports = [json.loads(line) for line in run.stdout.splitlines()]
        found += [Found(Path(report["path"]), report["what"]) for report in reports if "path" in report]
        left = left[sum("ended" in report for report in reports) :]
        if run.returncode:
            name, *left = left
            current = folder / name / _CURRENT
            assert current.exists(), run.stderr[-4000:]
            kind = "hang" if run.returncode == -signal.SIGXCPU else "death"
            kept = _keep(folder / name, kind, current.read_bytes())
            found.append(Found(kept, f"{kind}: {run.returncode}\n{run.stderr[-2000:]}"))
            current.unlink()
    return found


def soup(tokens: Sequence[str], *, most: int = 40) -> st.SearchStrategy[bytes]:
    """Make input of a grammar's tokens, some of them many times in a row, and of a few other characters."""
    times = st.sampled_from((1, 1, 1, 1, 1, 1, 1, 2, 3, 40, 3000))
    token = st.one_of(st.sampled_from(tokens), st.sampled_from(tokens), st.text(max_size=4))
    return st.lists(st.tuples(token, times), max_size=most).map(
        lambda parts: "".join(token * times for token, times in parts).encode("utf-8", "surrogatepass")[:LARGEST]
    )


def damaged(samples: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Make damaged copies of samples, which have some ten bytes or more."""
    some = st.sampled_from(samples)
    return st.builds(_damaged, some, some, st.integers(0, 2**32))


def _damaged(one: bytes, other: bytes, number: int) -> bytes:
    try:
        return mutated(one, other, str(number))[:LARGEST]
    except ValueError:  # nothing was left to damage
        return b""


def pick(data: bytes, choices: Sequence[Any]) -> Any:
    """Choose by an input, so that the input alone makes a call again."""
    return choices[zlib.crc32(data) % len(choices)]


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--targets")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--examples", type=int)
    parser.add_argument("--hang", type=int)
    parser.add_argument("names", nargs="+")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    targets: dict[str, Target] = importlib.import_module(asked.targets).TARGETS
    for name in asked.names:
        folder = asked.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        trial = _Trial(targets[name], folder, asked.hang)
        for found in islice(trial.findings(asked.seconds, asked.examples), _ENOUGH):
            _report(path=str(found.path), what=found.what)
        (folder / _CURRENT).unlink(missing_ok=True)
        _report(ended=name)


def _report(**fields: str) -> None:
    print(json.dumps(fields), flush=True)


@dataclass(frozen=True)
class _Trial:
    """One parser, the folder of its inputs, and the seconds that it may need for one."""

    target: Target
    folder: Path
    hang: int

    def findings(self, seconds: float, examples: int) -> Iterator[Found]:
        for kept in sorted(self.folder.glob("*-*")):
            if what := self._broken(kept.read_bytes()):
                yield Found(kept, what)
        if not seconds:
            yield from self._batch(examples, 0)
            return
        ends = time.process_time() + seconds
        number = time.time_ns()
        while time.process_time() < ends:
            yield from self._batch(_BATCH, number)
            number += 1

    def _batch(self, examples: int, number: int) -> list[Found]:
        found: list[Found] = []

        @seed(number)
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(self.target.inputs)
        def example(data: bytes) -> None:
            if what := self._broken(data):
                found.append(Found(_keep(self.folder, what.partition(":")[0], data), what))

        example()
        return found

    def _broken(self, data: bytes) -> str | None:
        """Call the parser; returns what went wrong."""
        (self.folder / _CURRENT).write_bytes(data)
        began = time.process_time()
        resource.setrlimit(resource.RLIMIT_CPU, (int(began) + 1 + self.hang, resource.RLIM_INFINITY))
        try:
            self.target.call(data)
        except self.target.refuses:
            pass
        except Exception:
            return f"crash: {traceback.format_exc(limit=-4)}"
        spent = time.process_time() - began
        return f"slow: {spent:.1f} s" if spent > SLOW else None


def _keep(folder: Path, kind: str, data: bytes) -> Path:
    path = folder / f"{kind}-{hashlib.sha256(data).hexdigest()[:16]}"
    path.write_bytes(data)
    return path


if __name__ == "__main__":
    _main()
