"""Keep what workers and libraries say out of the terminal while a person watches a progress bar."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console


@contextmanager
def output_into(log: Path) -> Iterator[Console]:
    """Send this process's standard output and error, and its children's, into a file; yields a console on the former
    standard error.

    It works on file descriptors, because neither child processes nor native libraries know ``sys.stderr``.
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
