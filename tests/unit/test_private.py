"""Octavia's own files are its user's alone; a person's results follow their umask."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from octavia import private, programs
from octavia.storage import Storage
from tests.support.modes import NOBODY, open_to_others


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def run(folder: Path, code: str, umask: int) -> None:
    """Run code with ``folder`` as ``here`` in a process of its own: the umask is the whole process's."""
    code = f"import sys; from pathlib import Path; from octavia import private; here = Path(sys.argv[1])\n{code}"
    subprocess.run([sys.executable, "-c", code, folder], env=programs.environment(), umask=umask, check=True)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_all_is_private_but_what_a_person_asks_for(tmp_path: Path, umask: int) -> None:
    # Given a person's umask, when a process of ours and its children make files and folders, and then results
    code = """
private.begin()
private.begin()
(here / "own").mkdir()
(here / "own" / "file").touch()
import subprocess
subprocess.run(["touch", here / "own" / "of-child"], check=True)
with private.as_given():
    (here / "results").mkdir()
    (here / "results" / "file").touch()
(here / "own" / "after").touch()
"""
    run(tmp_path, code, umask)
    # Then its own are its user's alone
    assert open_to_others(tmp_path / "own") == []
    # And the results have the modes that any program of that person would give them
    assert mode(tmp_path / "results") == 0o777 & ~umask
    assert mode(tmp_path / "results" / "file") == 0o666 & ~umask


def test_without_our_command_the_umask_stays_and_folders_are_private(tmp_path: Path) -> None:
    # Given a program of somebody else's that uses parts of Octavia, and a umask that takes no right away
    code = """
from octavia import temporary
from octavia.jobs.tables.database import Database
from octavia.storage import Storage
with temporary.below(here / "a" / "data"):
    (here / "theirs").touch()
with private.as_given():
    (here / "result").touch()
Storage(f"file://{here}/b/storage").put("jobs/1/x", b"x")
Database(f"sqlite:///{here}/c/octavia.db").upgrade()
"""
    run(tmp_path, code, 0)
    # Then its files are as it wants them
    assert (mode(tmp_path / "theirs"), mode(tmp_path / "result")) == (0o666, 0o666)
    # And nobody else gets into a folder of ours
    for folder in ("a", "a/data", "a/data/tmp", "b", "b/storage", "c"):
        assert mode(tmp_path / folder) == 0o700, folder


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    # Given a folder that an operator shares with a group
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o2770)
    # When it is used for data
    private.make_folder(shared)
    Storage(f"file://{shared}").put("jobs/1/x", b"x")
    # Then they find it as they left it
    assert shared.stat().st_mode & 0o7777 == 0o2770


def test_a_database_is_private_with_all_its_files(tmp_path: Path) -> None:
    # Given a database at work, in a folder that is open to all
    tmp_path.chmod(0o755)
    code = """
import os
from octavia.jobs.tables.database import Database
private.begin()
database = Database(f"sqlite:///{here}/octavia.db")
database.upgrade()
database.check()
assert {"octavia.db", "octavia.db-wal", "octavia.db-shm"} <= {*os.listdir(here)}, os.listdir(here)
os._exit(0)
"""
    run(tmp_path, code, 0)
    # Then its log and its index are as private as it is itself
    files = [path for path in tmp_path.iterdir() if path.name.startswith("octavia.db")]
    assert len(files) == 3
    assert [path for path in files if mode(path) != 0o600] == []


def test_a_folder_shared_by_an_access_list_stays_shared(tmp_path: Path) -> None:
    # Given a folder of an operator, from which new files inherit that a group may read and write them
    entries = ((0x01, 7, -1), (0x04, 0, -1), (0x08, 7, NOBODY), (0x10, 7, -1), (0x20, 0, -1))
    inherited = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    try:
        os.setxattr(tmp_path, "system.posix_acl_default", inherited)
    except OSError:
        pytest.skip("this file system has no access lists")
    # When objects are stored there
    code = """
from octavia.storage import Storage
private.begin()
Storage(f"file://{here}").put("jobs/1/x", b"x")
"""
    run(tmp_path, code, 0o022)
    # Then the group may use them, and nobody else may
    assert mode(tmp_path / "jobs" / "1") == 0o770
    assert mode(tmp_path / "jobs" / "1" / "x") == 0o660
