"""A lock on a folder, held by one process at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from octavia import private
from octavia.errors import Conflict, InputError


@contextmanager
def exclusive(folder: Path, *, remedy: str, persons: bool = False) -> Iterator[None]:
    """Create the folder if needed, and lock it while the ``with`` block runs.

    A new one is this user's alone; a folder for a person's results (``persons``) has the modes of their umask.

    The lock is on the folder itself, so no lock file is left behind. It is released even if its process is killed.
    Raises ``InputError`` (``folder_unusable``), or ``Conflict`` (``folder_in_use``) with ``remedy`` as its hint.
    """
    try:
        if persons:
            with private.as_given():
                folder.mkdir(parents=True, exist_ok=True)
        else:
            private.make_folder(folder)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise InputError(
            f"The folder {folder} cannot be used: {error.strerror}.", code="folder_unusable", hint="Choose another."
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(f"Another octavia command is using {folder}.", code="folder_in_use", hint=remedy) from error
        yield
    finally:
        os.close(descriptor)
