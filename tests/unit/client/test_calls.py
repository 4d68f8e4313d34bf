"""Requests of the client, as values."""

import io
import os
from pathlib import Path

import pytest

from octavia.client import calls


@pytest.mark.parametrize("opened", [False, True])
def test_a_file_whose_name_is_no_utf_8_is_sent(tmp_path: Path, opened: bool) -> None:
    # Given a file with a name in Latin-1
    path = tmp_path / os.fsdecode(b"caf\xe9.ogg")
    path.write_bytes(b"sound")
    # When it is sent
    with path.open("rb") as file, calls._opened(file if opened else path) as (name, content):
        # Then under a name that a request can have, with its suffix
        assert name == "caf_.ogg"
        assert isinstance(content, io.BufferedReader)
        assert content.read() == b"sound"
