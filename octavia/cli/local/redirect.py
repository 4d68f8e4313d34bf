"""Redirect the output of workers and libraries into a log, away from the progress bars on the terminal."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console


@contextmanager
def redirect_output(log: Path) -> Iterator[Console]:
    """Append stdout and stderr of this process and of its children to a file; yield a console on the former stderr.

    This replaces the file descriptors, because child processes and native libraries do not use ``sys.stderr``.
    """
    former = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    with log.open("ab") as file, os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace") as terminal:
        _flush()
        for descriptor in former:
            os.dup2(file.fileno(), descriptor)
        try:
            yield Console(file=terminal, highlight=False)
        finally:
            _flush()
            for descriptor, copy in former.items():
                os.dup2(copy, descriptor)
                os.close(copy)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
