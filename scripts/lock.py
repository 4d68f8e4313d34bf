"""The lock: every package that ``octavia[dev]`` needs, at the exact version that is installed here.

``python scripts/lock.py`` writes requirements.lock from what is installed; ``--check`` says whether it still holds:
each requirement of pyproject.toml is met by a locked version, and each locked version is the one that is installed.
"""

import argparse
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.lock"
HEADER = "# Exact versions of everything octavia[dev] needs. Written by scripts/lock.py; `make lint` checks it.\n"


def project_requirements(root: Path = ROOT) -> list[Requirement]:
    """Return the requirements of pyproject.toml with all extras, without their references to Octavia itself."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    requirements = [Requirement(line) for line in lines]
    return [requirement for requirement in requirements if requirement.name != project["name"]]


def closure(wanted: Iterable[Requirement]) -> dict[str, str]:
    """Return the name and installed version of every package that ``wanted`` needs, directly or not.

    Raises:
      PackageNotFoundError: One of them is not installed.
    """
    found: dict[str, str] = {}
    seen: set[str] = set()
    waiting = list(wanted)
    while waiting:
        requirement = waiting.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        installed = distribution(requirement.name)
        found[canonicalize_name(requirement.name)] = installed.version
        waiting.extend(_needs(installed.requires or [], requirement.extras))
    return dict(sorted(found.items()))


def _needs(lines: Iterable[str], extras: Iterable[str]) -> Iterator[Requirement]:
    for line in lines:
        requirement = Requirement(line)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def read(path: Path = LOCK) -> dict[str, str]:
    """Read the locked versions by canonical name.

    Raises:
      ValueError: A line is not ``name==version``.
    """
    locked: dict[str, str] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        name, separator, pinned = line.partition("==")
        if not separator or not name or not pinned or " " in line:
            raise ValueError(f"{path.name}:{number}: not 'name==version': {line}")
        locked[canonicalize_name(name)] = pinned
    return locked


def problems(wanted: list[Requirement], locked: dict[str, str]) -> Iterator[str]:
    """Yield the problems of the lock, a line each."""
    for requirement in wanted:
        pinned = locked.get(canonicalize_name(requirement.name))
        if pinned is None:
            yield f"{requirement.name} is in pyproject.toml and not in the lock"
        elif not requirement.specifier.contains(pinned, prereleases=True):
            yield f"pyproject.toml asks for {requirement}, the lock has {pinned}"
    for name, pinned in locked.items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            yield f"{name} {pinned} is locked and not installed"
            continue
        if installed != pinned:
            yield f"{name} is locked at {pinned}, installed is {installed}"
    try:
        needed = closure(wanted)
    except PackageNotFoundError as error:
        yield f"{error.name} is needed and not installed"
        return
    for name in needed.keys() ^ locked.keys():
        yield f"{name} is needed and not locked" if name in needed else f"{name} is locked and nothing needs it"


def main() -> int:
    """Write or check the lock; returns 0 if it is correct."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when the lock does not hold")
    wanted = project_requirements()
    if not parser.parse_args().check:
        LOCK.write_text(HEADER + "".join(f"{name}=={pinned}\n" for name, pinned in closure(wanted).items()))
        return 0
    found = list(problems(wanted, read()))
    for problem in found:
        sys.stderr.write(f"requirements.lock: {problem}\n")
    if found:
        sys.stderr.write("requirements.lock: run `.venv/bin/python scripts/lock.py` after installing what is missing\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
