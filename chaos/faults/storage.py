"""The storage: full, or away. Neither needs any privilege."""

import resource
import time
from random import Random

import psutil

from chaos.deployment import Deployment
from chaos.faults.fault import Struck, whole_at_once

_FULL = 5.0
_AWAY = 5.0


def fill_storage(deployment: Deployment, random: Random) -> Struck:
    """Let no file grow, as on a full disk, by a limit of the kernel that is set on every process from outside.

    Processes started meanwhile inherit it, so it is lifted repeatedly until none has it.
    """
    try:
        _limit(deployment, full=True)
        time.sleep(_FULL)
    finally:
        while _limit(deployment, full=False):
            pass
    return Struck(f"{_FULL:.0f} s", lambda: not _limit(deployment, full=False))


def take_storage_away(deployment: Deployment, random: Random) -> Struck:
    """Put a file in the place of the storage folder, which can be neither read nor written as a folder."""
    store = deployment.storage.readlink()
    nothing = deployment.folder / "nothing"
    nothing.touch()
    _point(deployment, str(nothing))
    try:
        time.sleep(_AWAY)
    finally:
        _point(deployment, str(store))
    return Struck(f"{_AWAY:.0f} s", whole_at_once)


def _limit(deployment: Deployment, *, full: bool) -> int:
    """Set or lift the limit everywhere; returns the number of processes that had another one before."""
    changed = 0
    for process in deployment.all_processes():
        try:
            soft, hard = process.rlimit(resource.RLIMIT_FSIZE)
            wanted = 0 if full else hard
            if soft != wanted:
                process.rlimit(resource.RLIMIT_FSIZE, (wanted, hard))
                changed += 1
        except (psutil.Error, ProcessLookupError):
            continue
    return changed


def _point(deployment: Deployment, target: str) -> None:
    """Replace the link in one step: in between, somebody could make a new folder."""
    link = deployment.folder / "link"
    link.symlink_to(target)
    link.replace(deployment.storage)
