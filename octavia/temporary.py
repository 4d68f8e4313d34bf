"""Temporary files below the data folder: the system's own folder may be missing, too small or read-only."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from octavia.errors import OctaviaError
from octavia.private import make_folder

NAME = "tmp"
"""The folder in the data folder. Each process has one of its own in there."""

_VARIABLE = "TMPDIR"


@contextmanager
def below(data_dir: Path) -> Iterator[Path]:
    """Make a folder for the temporary files of this process, its libraries and its children, while the block runs.

    The folder is locked, and the kernel gives the lock back even if the process is killed. So the folders of processes
    that have ended are recognised, and each process removes them when it comes and when it goes.

    Raises:
      OctaviaError: ``folder_unusable``: the data folder cannot be written.
    """
    parent = data_dir.absolute() / NAME
    try:
        make_folder(parent)
        _sweep(parent)
        folder, lock = _locked(parent)
    except OSError as error:
        raise OctaviaError(
            f"Temporary files cannot be written below {data_dir}: {error.strerror}.",
            code="folder_unusable",
            hint="Set OCTAVIA_DATA_DIR to a folder that you may write to, on a disk with room.",
        ) from error
    before = tempfile.tempdir, os.environ.get(_VARIABLE)
    # Python's own, and what C libraries and child processes read.
    tempfile.tempdir = os.environ[_VARIABLE] = str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = before[0]
        if before[1] is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before[1]
        # A library may clean up only when the interpreter exits: then the folder stays, locked as long as this process
        # lives, for the next sweep.
        with suppress(OSError):
            _sweep(parent)
            folder.rmdir()
            os.close(lock)


def _locked(parent: Path) -> tuple[Path, int]:
    """Make a folder that no sweep removes; returns the descriptor that holds its lock."""
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent))
        # A sweep of another process may come between these.
        with suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():
                return folder, lock
            os.close(lock)


def _sweep(parent: Path) -> None:
    """Remove the folders of processes that have ended."""
    for folder in parent.iterdir():
        with suppress(OSError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
