"""Run pip or npm with progress, the bytes in the folder that they download into, and unpack their archive."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from octavia import programs
from octavia.catalog import archives, bounds
from octavia.catalog.model import Model
from octavia.catalog.sources.base import Progress, SourceError
from octavia.url_checks import check_proxies
from octavia.urls import without_logins

_LIMIT_SECONDS = 3600
_POLL_SECONDS = 0.2
_LOG_BYTES = 64 * 1024


def run(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str], label: str, size: int, progress: Progress
) -> None:
    """Run a command in ``folder`` until it ends, reporting the bytes in that folder.

    Parameters:
      environment: Variables to add to this process's own.
      label: Text for ``progress``.
      size: The model's size in bytes.

    Raises:
      SourceError: It failed, with its error message, took over an hour, or wrote far more than the model's size.
    """
    try:
        check_proxies(os.environ)
    except ValueError as error:
        raise SourceError(f"no connection can be made: {error}") from error
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            # In our folder temporary files show the progress, and leftovers are removed.
            env=programs.environment(
                {"HOME": str(programs.home() or folder), "TMPDIR": str(folder), **environment},
            ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + _LIMIT_SECONDS
        most = bounds.fetched(size)
        try:
            while process.poll() is None:
                if time.monotonic() > deadline:
                    raise SourceError(f"{command[0]} did not end within an hour")
                written = _bytes_under(folder)
                if written > most:
                    raise SourceError(f"it brings over {most // 1_000_000} MB for a model of {size // 1_000_000} MB")
                progress(label, min(written, size), size)
                time.sleep(_POLL_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode:
        raise SourceError(_reason(_end_of(log)) or f"it ended with code {process.returncode}")


def unpack_only(downloads: Path, pattern: str, folder: str, model: Model, target: Path) -> None:
    """Unpack the wanted files under ``folder`` in the only archive of ``downloads`` that matches the pattern.

    Raises:
      SourceError: No archive or several match, or it cannot be unpacked or lacks the files.
    """
    found = list(downloads.glob(pattern))
    if len(found) != 1:
        raise SourceError(f"{len(found)} files {pattern} were downloaded instead of one")
    try:
        archives.extract(found[0], folder, model.files, target, size=model.size)
    except archives.BadArchive as error:
        raise SourceError(f"{found[0].name} {error}") from error


def _bytes_under(folder: Path) -> int:
    total = 0
    for root, _, files in os.walk(folder):
        for name in files:
            with suppress(OSError):  # Removed since it was listed.
                total += os.lstat(os.path.join(root, name)).st_size
    return total


def _end_of(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_BYTES))
        return file.read().decode(errors="replace")


def _reason(text: str) -> str:
    """Return the first line that mentions an error, else the last line."""
    # It may name a registry or a proxy.
    lines = [line.strip() for line in without_logins(text).splitlines() if line.strip()]
    return next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "")[:300]
