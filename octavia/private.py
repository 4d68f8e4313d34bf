"""Modes of files: Octavia's own are its user's alone, whatever the umask; a person's results follow their umask.

The umask is the one means that reaches every file, those of SQLite, RabbitMQ and FFmpeg too, and it leaves the access
lists of a shared folder (``setfacl -d``) in force, as modes given to ``open`` would not. A folder is made 0700 besides,
for programs that use a part of Octavia without its command.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

OTHERS: Final = 0o077
"""The permissions of a file that belong to the group and to all others."""

_given: int | None = None


def begin() -> None:
    """Keep private what this process and its children make from now on: folders 0700, files 0600."""
    global _given
    before = os.umask(OTHERS)
    _given = before if _given is None else _given


@contextmanager
def as_given() -> Iterator[None]:
    """Make files as the person who started this process would, while the block runs: its results are theirs.

    It applies to all threads of the process.
    """
    if _given is None:
        yield
        return
    before = os.umask(_given)
    try:
        yield
    finally:
        os.umask(before)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for this user alone. One that exists stays as it is.

    Raises:
      OSError: As ``Path.mkdir`` does.
    """
    try:
        folder.mkdir(OTHERS ^ 0o777, exist_ok=True)
    except FileNotFoundError:
        if folder == folder.parent:
            raise
        make_folder(folder.parent)
        folder.mkdir(OTHERS ^ 0o777, exist_ok=True)
