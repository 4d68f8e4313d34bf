"""Files that appear whole or not at all."""

import os
from pathlib import Path

import pytest

from octavia.files import written_whole


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    # Given an older file
    path = tmp_path / "state.json"
    path.write_bytes(b"old")
    # When another one is written
    with written_whole(path) as file:
        file.write(b"new")
        # Then the older one is there until the end
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["state.json"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    # Given
    path = tmp_path / "state.json"
    path.write_bytes(b"old")
    # When writing fails
    with pytest.raises(RuntimeError), written_whole(path) as file:
        raise RuntimeError(file.write(b"ne"))
    # Then
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["state.json"]


def test_two_writers_do_not_mix(tmp_path: Path) -> None:
    # Given
    path = tmp_path / "state.json"
    # When two write at once
    with written_whole(path) as first, written_whole(path) as second:
        first.write(b"first")
        second.write(b"second")
    # Then it is one of them, whole: the one that ended last
    assert path.read_bytes() == b"first"


def test_a_long_name_leaves_room_for_the_part(tmp_path: Path) -> None:
    # Given a name of 255 bytes
    path = tmp_path / ("a" * 255)
    # When
    with written_whole(path) as file:
        file.write(b"x")
    # Then
    assert path.read_bytes() == b"x"
