"""Which command lines are those of Pythons that can be forked, and what they run."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from octavia.worker import tether

ROOT = Path(__file__).parents[3]
"""The checkout."""

_TESTS = ROOT / "tests"
_TETHER = [sys.executable, "-I", "-S", tether.__file__]
_OURS = re.compile(r"(octavia|tests)(\.\w+)*")
# What these say is read while an interpreter or a library begins.
_BEGINNING = re.compile(
    r"(LD_|LC_|LANG|MALLOC_|GLIBC_|OMP_|MKL_|OPENBLAS_|PYTHON(?!PATH$|SAFEPATH$|DONTWRITEBYTECODE$))"
)
_BEGUN = dict(os.environ)


@dataclass(frozen=True)
class Program:
    """A module or a file, and its arguments.

    Attributes:
      line: Its command line.
      words: What is run, and its arguments.
      is_module: It is a module, not a file.
      safe: The folder that it is started in, or that of the file, is not searched for modules.
      tethered: It is not to outlive its parent.
    """

    line: tuple[str, ...]
    words: tuple[str, ...]
    is_module: bool
    safe: bool
    tethered: bool

    @property
    def starts_others(self) -> bool:
        """False for a worker and for a scheduler, who have no children that could be forked."""
        return "--slot" not in self.words and self.words[0] != "octavia.worker.scheduler"


def parse(words: Sequence[str], environment: Mapping[str, str], folder: str) -> Program | None:
    """What a command line would run; None for what is to be started as any program.

    Parameters:
      environment: The variables that it gets.
      folder: Where it is to run.
    """
    tethered = words[:4] == _TETHER
    line = words[5:] if tethered else words
    if line[:1] != [sys.executable] or not _begins_alike(environment):
        return None
    flagged = line[1:2] == ["-P"]
    safe = flagged or bool(environment.get("PYTHONSAFEPATH"))
    ran = line[2:] if flagged else line[1:]
    is_module = ran[:1] == ["-m"]
    ran = ran[1:] if is_module else ran
    known = bool(ran) and (_OURS.fullmatch(ran[0]) if is_module else _TESTS in Path(ran[0]).parents)
    if not known or not (safe or _holds_no_modules(Path(folder))):
        return None
    return Program(tuple(line), tuple(ran), is_module, safe, tethered)


def _begins_alike(environment: Mapping[str, str]) -> bool:
    """Whether a Python with these variables begins as this one did, and finds the same modules."""
    names = filter(_BEGINNING.match, {*environment, *_BEGUN})
    if any(environment.get(name) != _BEGUN.get(name) for name in names):
        return False
    paths = (each.get("PYTHONPATH", "").split(os.pathsep) for each in (environment, _BEGUN))
    asked, ours = ({entry for entry in path if entry} - {str(ROOT)} for path in paths)
    return asked == ours


def _holds_no_modules(folder: Path) -> bool:
    """Whether nothing in a folder could be taken for a module."""
    return folder == ROOT or not (any(folder.glob("*.py")) or (folder / "octavia").exists())
