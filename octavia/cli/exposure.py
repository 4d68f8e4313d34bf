"""Data that others on this machine may read: a folder or file of Octavia's that was made, or opened, by other means."""

import os
import pwd
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from octavia.private import OTHERS

if TYPE_CHECKING:
    from octavia.settings import Settings


@dataclass(frozen=True, slots=True)
class Exposure:
    """A folder or file that is not this user's alone.

    Attributes:
      detail: What is wrong with it, as a sentence without an end.
      remedy: The command that closes it, or what else to do.
      public: True if every user of the machine has some access.
    """

    path: Path
    detail: str
    remedy: str
    public: bool


def find(settings: "Settings") -> list[Exposure]:
    """Look at the data folder, and at the database and the storage if they lie elsewhere on this machine.

    What does not exist yet will be made private. The data folder stands for all that is in it.
    """
    return [found for path in _kept(settings) for found in _looked_at(path)]


def warn(settings: "Settings") -> None:
    """Log each exposure, at a start."""
    import structlog

    log = structlog.get_logger()
    for found in find(settings):
        log.warning("data_exposed", detail=found.detail, hint=found.remedy)


def _kept(settings: "Settings") -> Iterator[Path]:
    """The data folder, and the files of the database and the folder of the storage if they are outside of it."""
    from sqlalchemy import make_url

    from octavia.storage import Storage

    yield settings.data_dir
    url = make_url(settings.database)
    database = Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
    here = urlsplit(settings.storage).scheme in ("", "file", "local")
    storage = Storage(settings.storage).folder if here else None
    for path in (database, storage):
        if path is not None and not path.absolute().is_relative_to(settings.data_dir.absolute()):
            yield path


def _looked_at(path: Path) -> Iterator[Exposure]:
    try:
        found = path.stat()
    except OSError:
        return
    if found.st_uid != os.geteuid():
        owner = _name(found.st_uid)
        remedy = f"Run Octavia as {owner}, or: chown -R {_name(os.geteuid())} {shlex.quote(str(path))}"
        yield Exposure(path, f"{path} belongs to {owner}, who can read and change all of it", remedy, public=False)
    mode = stat.S_IMODE(found.st_mode)
    if mode & OTHERS:
        public = bool(mode & stat.S_IRWXO)
        who = "every user of this machine" if public else "its group"
        # SQLite has up to two more files beside its own.
        what = f"{shlex.quote(str(path))}{'' if path.is_dir() else '*'}"
        remedy = f"chmod -R go-rwx {what}"
        yield Exposure(path, f"{path} is open to {who} (mode {mode:04o})", remedy, public)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
