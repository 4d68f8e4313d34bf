"""Names that strangers give their files are shown, and harm nobody."""

import pytest

from octavia.text.filenames import film_name, name_in_disposition, name_in_url, names_for


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
    ],
)
def test_a_client_cannot_choose_where_its_file_goes(given: str, shown: str, safe: str) -> None:
    assert names_for(given) == (shown, safe)


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
