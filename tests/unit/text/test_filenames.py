"""Names that strangers give their files are shown, and harm nobody."""

import re
import time
from urllib.parse import quote

import pytest

from octavia.files import is_device
from octavia.text.filenames import film_name, name_in_disposition, name_in_url, names_for
from tests.support.names import DEVICES, NAMES


@pytest.mark.parametrize(
    ("given", "shown", "safe"),
    [
        ("talk.mp4", "talk.mp4", "talk.mp4"),
        ("../../etc/passwd", "passwd", "passwd"),
        ("C:\\Users\\me\\talk.mp4", "talk.mp4", "talk.mp4"),
        ("Vortrag über Käse.wav", "Vortrag über Käse.wav", "Vortrag_ber_K_se.wav"),
        ("会議.m4a", "会議.m4a", "m4a"),
        ("..", "..", "media"),
        ("", "media", "media"),
        ("a\x00b\r\n\u202ec.wav", "abc.wav", "abc.wav"),
        ("x" * 500 + ".wav", "x" * 196 + ".wav", "x" * 96 + ".wav"),
        (".hidden", ".hidden", "hidden"),
        ("con .wav", "con .wav", "con_.wav"),
        ("_NUL.wav", "_NUL.wav", "_NUL.wav"),
        ("con." + "x" * 96, "con." + "x" * 96, "_con." + "x" * 95),
    ],
)
def test_a_client_cannot_choose_where_its_file_goes(given: str, shown: str, safe: str) -> None:
    assert names_for(given) == (shown, safe)


@pytest.mark.parametrize("given", [*NAMES, *DEVICES])
def test_the_last_part_of_a_storage_key_is_a_plain_name(given: str) -> None:
    shown, safe = names_for(given)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", safe)
    assert not is_device(safe)
    assert shown.isprintable()


@pytest.mark.parametrize(
    "unit", [" ", ".", "/", "\\", "\0", "_", "\u0300", "\u0300\u0316", "\u1100\u1161", "a\u0323\u0307"]
)
def test_a_name_of_any_length_is_read_at_once(unit: str) -> None:
    # Given names as long as headers and bodies can hold them, of marks in the worst order among other things
    name = "a" + "".join(sorted(unit * (30_000 // len(unit)), reverse=True))
    headers = [
        *(f"attachment; filename*=UTF-8''{quote(name)}", f"attachment; {unit * 30_000}", f"attachment{unit * 30_000}"),
        *(f'attachment; filename="{more * 30_000}' for more in (unit, ";", '\\";', '";')),
    ]
    began = time.process_time()
    # When they are read, Then it takes no time
    names_for(name)
    names_for(unit * 15_000)
    name_in_url(f"https://example.com/{quote(name)}")
    for header in headers:
        name_in_disposition(header)
        name_in_disposition(header[:4000])
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.com/talks/the%20talk.flac?signature=abc", "the talk.flac"),
        ("https://example.com/a%2F..%2Fb.wav", "b.wav"),
        ("https://example.com/", "media"),
        ("https://example.com", "media"),
    ],
)
def test_the_last_part_of_an_address_is_a_name(url: str, name: str) -> None:
    # Given an address
    # When its file must be called something
    # Then it is called like the end of the path, without the query
    assert name_in_url(url) == name


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="a talk.wav"', "a talk.wav"),
        ("attachment; filename*=UTF-8''na%C3%AFve.mp3", "naïve.mp3"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ("attachment; filename*=nonsense''%ff", "ÿ"),
        ("inline", None),
        ("", None),
        (f'attachment; filename="{"a" * 3000}.wav"', "a" * 196 + ".wav"),
        (f'attachment; filename="{"a" * 4000}.wav"', None),
    ],
)
def test_a_server_may_say_what_its_file_is_called(header: str, name: str | None) -> None:
    # Given a Content-Disposition header
    # When its file must be called something
    # Then it is what the header says, without folders
    assert name_in_disposition(header) == name


@pytest.mark.parametrize("stem", ["a" * 250, "語" * 83, "語" * 200])
def test_a_film_with_a_long_name_can_be_saved(stem: str) -> None:
    name = film_name(stem, "es", "video.mkv")
    assert name is not None
    assert 240 < len(name.encode()) <= 255
    assert name.endswith(".es.mkv")
    assert film_name(stem, "es", "dub.wav") is None


@pytest.mark.parametrize("stem", DEVICES)
def test_a_film_has_no_name_of_a_device(stem: str) -> None:
    name = film_name(stem, "es", "video.mkv")
    assert name is not None
    assert not is_device(name)
