"""Start other programs, Pythons above all, and never one that lies beside a user's files.

A Python looks for modules in the folder that it is started in before it looks elsewhere: a ``wave.py`` among the
recordings would be imported, and run, by every process that we start there. So each Python gets ``-P``, search paths
that do not name the folder of its parent, and a working folder of its own. ``-I`` would also ignore ``PYTHONPATH`` and
the user's own packages, where Octavia itself or a part of it may be; it is for code that gets nothing of our
environment.

Only this module names the interpreter; ``tests/unit/test_programs.py`` holds that.
"""

import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import octavia

if TYPE_CHECKING:
    from multiprocessing.context import SpawnContext

FOLDER: Final = Path("/")
"""The working folder of programs that need none: it is always there, and holds no user's files."""

_ROOT: Final = str(Path(os.path.abspath(octavia.__file__)).parents[1])
# ``-P`` for the Pythons that our children start.
_SAFE: Final = "PYTHONSAFEPATH"
# What a service manager says to one process (``octavia.service_manager``): a child of it would speak in its name.
_MEANT_FOR_US: Final = frozenset(
    {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}
)
# An empty entry in one of these means the current folder, as "." does.
_SEARCH_PATHS: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")
# Variables that name a file or folder, by the ends of their names: SSL_CERT_FILE, AWS_CA_BUNDLE, XDG_CACHE_HOME …
# Our settings' are absolute already, and others of ours may be spelled like a folder that is here.
_NAMES_A_FILE: Final = re.compile(
    r"(?!OCTAVIA_).*(FILE|DIR|HOME|BUNDLE|CERT|PGSSLKEY|PGSSLCRL|CONFIG|LIBRARY|USERBASE)", re.I
)


def module(name: str, *arguments: str) -> list[str]:
    """Make the command line that runs a module."""
    return [sys.executable, "-P", "-m", name, *arguments]


def script(path: Path, *arguments: str) -> list[str]:
    """Make the command line that runs a file; its folder is not searched for modules."""
    return [sys.executable, "-P", str(path), *arguments]


def bare(path: Path, *arguments: str) -> list[str]:
    """Make the command line that runs a file which needs the standard library alone, and so starts in milliseconds."""
    return [sys.executable, "-I", "-S", str(path), *arguments]


def isolated(code: str, *arguments: str) -> list[str]:
    """Make the command line that runs code which is to get no variables, but finds the modules that we find."""
    # What is no path may be the mark of an import hook, as of an editable installation.
    found = [_full(entry) if os.path.exists(entry) else entry for entry in sys.path if entry]
    return [sys.executable, "-I", "-c", f"import sys; sys.path[:] = {found!r}; {code}", *arguments]


def spawn_context() -> "SpawnContext":
    """Give the way of ``multiprocessing`` to start new Pythons, for programs whose own folder is no user's."""
    import multiprocessing

    os.environ[_SAFE] = "1"
    return multiprocessing.get_context("spawn")


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Make the environment of a program that runs in another folder: this process's own, and ``more``.

    Its search paths do not name the current folder, and relative paths in it are made absolute. What a service manager
    says to this process alone is left out.
    """
    ours = {name: value for name, value in os.environ.items() if name not in _MEANT_FOR_US}
    made = {**ours, **(more or {}), _SAFE: "1"}
    for name, value in made.items():
        if _NAMES_A_FILE.fullmatch(name) and value and os.path.exists(value):
            made[name] = _full(value)
    for name in _SEARCH_PATHS:
        entries = _entries(made.pop(name, ""))
        if name == "PYTHONPATH" and _ROOT in map(_full, _leading()) and _ROOT not in entries:
            # We were found by the current folder, as in a checkout that is not installed: so are our children.
            entries.insert(0, _ROOT)
        if entries:
            made[name] = os.pathsep.join(entries)
    return made


def find(name: str) -> str | None:
    """Find a program as the shell does, but not in the current folder."""
    return shutil.which(name, path=os.pathsep.join(_entries(os.environ.get("PATH", os.defpath))))


def home() -> Path | None:
    """The user's home folder; None for a user without a name and without HOME, as containers have."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def leave_folder() -> None:
    """Take the current folder off the search paths of this process, so that it imports nothing from there.

    ``python -m octavia`` begins with that folder, and so does an empty entry in ``PYTHONPATH``. It stays if Octavia
    itself is only found by it, or if ``PYTHONPATH`` names it in full.
    """
    here = _full(os.curdir)
    named = filter(os.path.isabs, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    if here not in map(_full, named):
        before = list(sys.path)
        leading = len(_leading())
        sys.path[:leading] = [entry for entry in sys.path[:leading] if entry not in ("", here)]
        if not _still_found():
            sys.path[:] = before
    for name in _SEARCH_PATHS:
        # An empty path would mean the current folder again.
        if entries := _entries(os.environ.pop(name, "")):
            os.environ[name] = os.pathsep.join(entries)


def _full(path: str) -> str:
    """The absolute path; the path as it is if the current folder has been deleted."""
    try:
        return os.path.abspath(path)
    except FileNotFoundError:
        return path


def _entries(value: str) -> list[str]:
    """The folders of a search path, in full, without those that stand for the current folder."""
    return [_full(entry) for entry in value.split(os.pathsep) if os.path.normpath(entry) != os.curdir]


def _leading() -> list[str]:
    """The part of Python's search path that comes before its standard library."""
    library = sysconfig.get_path("stdlib")
    return sys.path[: sys.path.index(library)] if library in sys.path else []


def _still_found() -> bool:
    specs = (finder.find_spec("octavia", None) for finder in sys.meta_path)
    spec = next((spec for spec in specs if spec), None)
    return spec is not None and spec.origin == octavia.__file__
