"""Run pip or npm and watch the bytes come in; both download into a folder of ours, so its size is the progress."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from octavia.catalog.sources.base import Progress, SourceError

_LIMIT_SECONDS = 3600
_POLL_SECONDS = 0.2


def run(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str], label: str, size: int, progress: Progress
) -> None:
    """Run a command in ``folder`` until it ends, reporting the bytes under it.

    Raises:
      SourceError: It failed or took over an hour; with the last line it said.
    """
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + _LIMIT_SECONDS
        try:
            while process.poll() is None:
                if time.monotonic() > deadline:
                    raise SourceError(f"{command[0]} did not end within an hour")
                progress(label, min(_bytes_under(folder), size), size)
                time.sleep(_POLL_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode:
        raise SourceError(_reason(log.read_text(errors="replace")) or f"it ended with code {process.returncode}")


def _bytes_under(folder: Path) -> int:
    total = 0
    for root, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except OSError:  # gone since it was listed
                continue
    return total


def _reason(text: str) -> str:
    """The line that says what went wrong: the first one marked as an error, else the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    marked = [line for line in lines if "error" in line.lower()]
    return (marked or lines or [""])[-1 if not marked else 0][:300]
