"""Programs that packages of Python bring, wherever they are installed."""

import subprocess
from importlib.metadata import distribution
from pathlib import Path


def program(package: str, name: str) -> str:
    """The path of a program of an installed package."""
    found = [path for path in distribution(package).files or () if path.name == name and "bin" in path.parts]
    return str(Path(str(found[0].locate())).resolve())


def output_of(*command: str | Path, **options: object) -> str:
    """Run a command that must succeed; returns what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    return str(done.stdout)
