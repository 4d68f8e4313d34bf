"""Temporary files lie below the data folder, and none stays."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from octavia import programs, temporary
from octavia.errors import OctaviaError


def test_temporary_files_go_below_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a system's own folder that nobody can write to, as on a read-only disk
    monkeypatch.setenv("TMPDIR", "/proc")
    monkeypatch.setattr(tempfile, "tempdir", "/proc")
    # When a process uses the data folder
    with temporary.below(tmp_path / "data") as folder:
        # Then its own files and those of its libraries and children are there
        assert folder.parent == tmp_path / "data" / "tmp"
        with tempfile.TemporaryFile(), tempfile.NamedTemporaryFile() as file:
            assert Path(file.name).parent == folder
        assert programs.environment()["TMPDIR"] == str(folder)
    # And afterwards nothing is, and all is as before
    assert list((tmp_path / "data" / "tmp").iterdir()) == []
    assert (tempfile.gettempdir(), os.environ["TMPDIR"]) == ("/proc", "/proc")


def test_a_library_may_clean_up_when_the_interpreter_exits(tmp_path: Path) -> None:
    # Given a process with a library that removes its folder last of all, as phonemizer does
    code = (
        "import pathlib, shutil, sys, tempfile, weakref\nfrom octavia import temporary\n"
        "class Library: pass\n"
        "library = Library()\n"
        "with temporary.below(pathlib.Path(sys.argv[1])):\n"
        " weakref.finalize(library, shutil.rmtree, tempfile.mkdtemp())\n"
    )
    environment = programs.environment()
    with temporary.below(tmp_path) as own:
        # When it ends, then the library finds its folder
        command = [sys.executable, "-c", code, tmp_path]
        done = subprocess.run(command, env=environment, cwd=programs.FOLDER, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert set((tmp_path / "tmp").iterdir()) > {own}
    # And whoever ends after it leaves nothing
    assert list((tmp_path / "tmp").iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    # Given what a process that was killed has left
    code = (
        "import os, pathlib, sys\nfrom octavia import temporary\n"
        "with temporary.below(pathlib.Path(sys.argv[1])) as own:\n"
        " (own / 'file').touch(); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, tmp_path], env=programs.environment(), cwd=programs.FOLDER)
    assert killed.returncode == -signal.SIGKILL
    (left,) = (tmp_path / "tmp").iterdir()
    # When two others come, then that is gone, and what the first of them uses is not
    with temporary.below(tmp_path) as first, temporary.below(tmp_path) as second:
        assert not left.exists()
        assert set((tmp_path / "tmp").iterdir()) == {first, second}


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    # Given a file in the place of the data folder
    (tmp_path / "data").touch()
    # When a process needs temporary files, then it is told what to set
    with pytest.raises(OctaviaError) as refused, temporary.below(tmp_path / "data"):
        pass
    assert refused.value.code == "folder_unusable"
    assert "OCTAVIA_DATA_DIR" in refused.value.hint
