"""A small disk that nobody else writes to, for processes that are started on it."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ALONE = ["unshare", "--user", "--map-root-user", "--mount"]
_MOUNT = 'mount -t tmpfs -o size="$1" tmpfs "$0" && echo mounted && exec sleep infinity'
_SHARED_MEMORY = Path("/dev/shm")


class SmallDisk:
    """A folder on a disk of its own.

    Parameters:
      folder: The folder, as processes of the disk name it.
      seen: The same folder, as this process names it.
      command: What to put before the command of a process that is to see the disk.
    """

    def __init__(self, folder: Path, seen: Path, command: list[str]) -> None:
        self.folder = folder
        self.seen = seen
        self.command = command

    @property
    def free(self) -> int:
        """The free bytes."""
        return shutil.disk_usage(self.seen).free

    @property
    def files(self) -> list[str]:
        """The files below the folder."""
        found = (Path(folder, name) for folder, _, names in os.walk(self.seen) for name in names)
        return sorted(str(path.relative_to(self.seen)) for path in found)


@contextmanager
def small_disk(parent: Path, size: int) -> Iterator[SmallDisk]:
    """Make a disk of ``size`` bytes in memory, in a mount namespace of its own, which needs no rights in most systems.

    Where the system allows none, it is a folder in the machine's shared memory, which others hardly use, or where that
    is too small, in ``parent``.
    """
    folder = parent / "disk"
    folder.mkdir()
    with subprocess.Popen(
        [*_ALONE, "sh", "-c", _MOUNT, str(folder), str(size)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as holder:
        assert holder.stdout is not None
        try:
            if holder.stdout.readline() == b"mounted\n":
                enter = ["nsenter", f"--target={holder.pid}", "--user", "--mount", "--preserve-credentials"]
                yield SmallDisk(folder, Path(f"/proc/{holder.pid}/root{folder}"), enter)
                return
        finally:
            holder.kill()
    roomy = shutil.disk_usage(_SHARED_MEMORY).free > size if _SHARED_MEMORY.is_dir() else False
    with tempfile.TemporaryDirectory(dir=_SHARED_MEMORY if roomy else parent) as shared:
        print(f"no mount namespace: the disk is {shared}", file=sys.stderr)
        yield SmallDisk(Path(shared), Path(shared), [])
