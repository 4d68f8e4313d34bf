"""Of several sounds, the one that people hear is taken."""

import pytest

from octavia.errors import InputError
from octavia.media.tracks import SoundTrack, choose, numbered


def track(number: int, language: str | None = None, **facts: bool) -> SoundTrack:
    given = {"default": False, "aside": False, "readable": True, **facts}
    return SoundTrack(number, language, "", "aac", 2, **given)


@pytest.mark.parametrize(
    ("tracks", "language", "taken"),
    [
        ([track(1, "spa", default=True), track(2, "eng")], "en", 2),
        ([track(1, "spa", default=True), track(2, "eng")], "es", 1),
        ([track(1, "spa", default=True), track(2, "eng")], None, 1),
        ([track(1, "spa"), track(2, "eng", default=True)], "fr", 2),
        ([track(1, "ger"), track(2, "fre"), track(3, "chi")], "fr", 2),
        ([track(1, "pt-BR"), track(2, "no")], "nb", 2),
        ([track(1), track(2, aside=True)], None, 1),
        ([track(1, aside=True), track(2)], None, 2),
        ([track(1, aside=True, default=True), track(2, default=True)], None, 2),
        ([track(1, "eng", aside=True), track(2, "eng"), track(3, "spa", default=True)], "en", 2),
        ([track(1, aside=True), track(2, aside=True)], None, 1),
        ([track(1, default=True, readable=False), track(2)], None, 2),
        ([track(1, "not a language"), track(2)], "en", 1),
        ([track(1, readable=False)], None, 1),
    ],
)
def test_the_choice(tracks: list[SoundTrack], language: str | None, taken: int) -> None:
    assert choose(tracks, language).number == taken


def test_a_number_that_is_not_there_is_an_error_that_lists_what_is() -> None:
    # Given a film with two sounds
    first = SoundTrack(1, "eng", "Main", "aac", 1, default=True, aside=False, readable=True)
    second = SoundTrack(2, "eng", "Commentary", "ac3", 2, default=False, aside=True, readable=True)
    assert numbered([first, second], 2) is second
    for number in (0, 3, 65_000):
        # When another one is wanted
        with pytest.raises(InputError, match=f"There is no sound track {number}") as caught:
            numbered([first, second], number)
        # Then the error names them
        assert (caught.value.code, caught.value.field) == ("no_such_track", "audio_track")
        assert caught.value.hint == (
            'The file has 1 (eng, "Main", aac, mono, default); 2 (eng, "Commentary", ac3, 2 channels).'
        )


def test_without_sound_there_is_no_choice() -> None:
    with pytest.raises(InputError, match="no sound"):
        choose([])
    with pytest.raises(InputError, match="no sound"):
        numbered([], 1)
