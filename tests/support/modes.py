"""Who else may read what lies in a folder."""

import os
import stat
from contextlib import suppress
from pathlib import Path

NOBODY = 65534


def open_to_others(folder: Path) -> list[str]:
    """The folder itself and all in it that the group or others have any right to, with their modes."""
    found = []
    for path in (folder, *folder.rglob("*")):
        with suppress(FileNotFoundError):  # removed since it was listed
            mode = stat.S_IMODE(path.lstat().st_mode)
            if not path.is_symlink() and mode & 0o077:
                found.append(f"{mode:04o} {path}")
    return found


def readable_by_nobody(folder: Path) -> list[str]:
    """The files in the folder that the user ``nobody`` can open; only root can ask."""
    paths = [str(path) for path in folder.rglob("*") if path.is_file()]
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        for path in paths:
            with suppress(OSError):
                os.close(os.open(path, os.O_RDONLY))
                os.write(writer, path.encode() + b"\n")
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        found = answer.read().splitlines()
    os.waitpid(child, 0)
    return found
