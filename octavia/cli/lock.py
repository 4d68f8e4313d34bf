"""A folder that one process at a time may work in."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from octavia.errors import Conflict, InputError


@contextmanager
def exclusive(folder: Path, *, remedy: str) -> Iterator[None]:
    """Make the folder if need be, and hold it while the ``with`` block runs.

    The folder itself is the lock: there is no lock file to leave behind, or to delete under another's feet. It is free
    again when its holder ends, however that ends.

    Raises:
      InputError: ``folder_unusable``.
      Conflict: ``folder_in_use``, with ``remedy`` as its hint.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise InputError(
            f"The folder {folder} cannot be used: {error.strerror}.", code="folder_unusable", hint="Name another one."
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(f"Another octavia is at work in {folder}.", code="folder_in_use", hint=remedy) from error
        yield
    finally:
        os.close(descriptor)
