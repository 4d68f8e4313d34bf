"""Files that appear whole or not at all."""

import os
from pathlib import Path

import pytest

from octavia.files import LONGEST_NAME, fitted, written_whole


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


@pytest.mark.parametrize(
    ("stem", "ending"),
    [
        ("a" * 250, ".es.mp4"),
        ("語" * 83, ".es.mp4"),
        ("é" * 125, "-transcribe"),
        ("👩‍🚀" * 40, "-dub"),
        (os.fsdecode(b"\xe9" * 250), "-dub"),
    ],
)
def test_a_name_is_cut_so_that_it_fits_and_keeps_its_ending(tmp_path: Path, stem: str, ending: str) -> None:
    # Given a stem that leaves no room for the ending
    name = fitted(stem, ending)
    # Then the name is as long as a file system allows, and a file can have it
    assert 240 < len(name.encode()) <= LONGEST_NAME
    assert name.endswith(ending)
    (tmp_path / name).touch()
    # And another stem that begins alike has another name, the same one has the same
    assert fitted(stem + "b", ending) != name
    assert fitted(stem, ending) == name


def test_a_name_that_fits_stays() -> None:
    assert fitted("talk", ".es.mp4") == "talk.es.mp4"
    assert fitted("a" * 248, ".es.mp4") == "a" * 248 + ".es.mp4"


def test_a_name_that_would_harm_others_becomes_one_that_does_not() -> None:
    # Given names in Latin-1, and names with a line end and with a mark that turns the text
    given = [os.fsdecode(name) for name in (b"caf\xe9", b"caf\xe8", b"caf\n", "caf\u202e".encode())]
    # When something is called after them
    names = [fitted(name, "-dub") for name in given]
    # Then every program can read these names, and they differ
    assert {name.encode()[:5] for name in names} == {b"caf_~"}
    assert len({*names}) == 4
