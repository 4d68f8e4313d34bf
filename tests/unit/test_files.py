"""Files that appear whole or not at all, and names that every system takes."""

import os
import time
from pathlib import Path

import pytest

from octavia.files import LONGEST_NAME, fitted, is_device, is_plain, portable, written_whole
from tests.support.names import DEVICES


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


@pytest.mark.parametrize("name", DEVICES)
def test_a_name_of_a_device_is_known(name: str) -> None:
    assert is_device(name)
    assert not is_plain(name)
    assert not is_device(fitted(name, "")), "gets another beginning"
    assert not is_device(fitted(name, ".es.mp4"))


@pytest.mark.parametrize(
    "name",
    [
        *("talk.mp4", "console.wav", "con-dub", "con_.zip", "_con.zip", "com.wav", "com10", "lpt.wav", "nul2", "a.con"),
        *("null.wav", "aux and friends.mp3", "会議.m4a", "prnt", "clock.wav", "COM\u00bd"),
    ],
)
def test_other_names_are_no_devices(name: str) -> None:
    assert not is_device(name)
    assert is_plain(name)
    assert fitted(name, "") == name


def test_what_is_reserved_somewhere_is_replaced() -> None:
    assert portable('a<b>c:d"e/f\\g|h?i*j\x00k\u202el') == "a_b_c_d_e_f_g_h_i_j_k_l"
    assert portable("Was ist das\uff1a ein Käse\uff1f (1) ~ & co") == "Was ist das\uff1a ein Käse\uff1f (1) ~ & co"


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", ".hidden", "-rf", "~root", " a", "a ", "a.", "a/b", "a\\b", "a:b", "a\0", "a\n", "a\u202e"),
        *("a" * 256, "\u8a9e" * 86, "\udcff"),
    ],
)
def test_a_name_that_is_not_plain_is_known(name: str) -> None:
    assert not is_plain(name)


@pytest.mark.parametrize(
    "unit", [*" .:_/~", "\t", "a", "\u0300", "\u00b9", "\uff43", "\ufdfa", "con", "con ", "\u0300\u0316"]
)
def test_a_name_of_any_length_is_judged_at_once(unit: str) -> None:
    name = "con" + unit * (200_000 // len(unit))
    began = time.process_time()
    is_plain(name), is_device(name), portable(name), fitted(name, ".zip")
    assert time.process_time() - began < 1


def test_a_name_that_would_harm_others_becomes_one_that_does_not() -> None:
    # Given names in Latin-1, and names with a line end and with a mark that turns the text
    given = [os.fsdecode(name) for name in (b"caf\xe9", b"caf\xe8", b"caf\n", "caf\u202e".encode())]
    # When something is called after them
    names = [fitted(name, "-dub") for name in given]
    # Then every program can read these names, and they differ
    assert {name.encode()[:5] for name in names} == {b"caf_~"}
    assert len({*names}) == 4
