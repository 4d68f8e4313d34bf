"""Commands of somebody whose home takes no files: on a read-only disk, as in many containers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'


def translated(home: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Translate a line with that home, which is read-only for this command."""
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _READ_ONLY, str(home)]
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "OCTAVIA_"))}
    return subprocess.run(
        [
            *command,
            sys.executable,
            "-m",
            "octavia",
            "translate",
            "--text",
            "Good morning.",
            "--from",
            "en",
            "--to",
            "es",
        ],
        env={**ours, "HOME": str(home), **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


def test_the_error_names_the_folder_and_how_to_use_another(home: Path) -> None:
    refused = translated(home)
    assert refused.returncode == 1
    assert f"cannot be written below {home}" in refused.stderr
    assert "OCTAVIA_DATA_DIR" in refused.stderr


def test_another_folder_is_enough(home: Path, tmp_path: Path) -> None:
    done = translated(home, OCTAVIA_DATA_DIR=str(tmp_path / "data"))
    assert (done.returncode, done.stdout) == (0, "Buenos días.\n"), done.stderr
    assert list(home.iterdir()) == []
