from pathlib import Path

import pytest

from octavia import programs
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
