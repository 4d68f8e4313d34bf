"""The sound of a job is chosen once, said, and kept."""

import io
import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from octavia.actors.sound import choose_sound, chosen_sound
from octavia.errors import InputError, NotFound
from octavia.jobs.tables.states import Stage
from octavia.media.tracks import SoundTrack
from octavia.work import Work

MAIN = SoundTrack(1, "spa", "Main", "aac", 1, default=True, aside=False, readable=True)
OTHER = SoundTrack(2, "eng", "", "ac3", 6, default=False, aside=False, readable=True)


class Desk:
    """As much of a task in hand as choosing a sound uses."""

    def __init__(self, language: str, **options: Any) -> None:
        self.job = SimpleNamespace(source_language=language, options=options)
        self.saved: dict[str, bytes] = {}

    def save_json(self, name: str, value: Any) -> None:
        self.saved[name] = json.dumps(value).encode()

    def read_json(self, stage: Stage, name: str) -> Any:
        assert stage is Stage.PREPARE
        if name not in self.saved:
            raise NotFound("gone")
        return json.load(io.BytesIO(self.saved[name]))


@pytest.mark.parametrize(("language", "number"), [("en", 2), ("es", 1), ("auto", 1)])
def test_the_one_taken_is_named(language: str, number: int) -> None:
    # Given a film with two sounds
    desk = Desk(language)
    # When one is chosen
    track, (warning,) = choose_sound(cast(Work, desk), [MAIN, OTHER])
    # Then it is that of the language, and it is said which, and how to take the other one
    assert track == number
    assert warning["code"] == "several_sounds"
    assert f"{(MAIN, OTHER)[number - 1]} was taken" in warning["message"]
    assert f"set audio_track: {(OTHER, MAIN)[number - 1]}" in warning["message"]
    # And later stages take the same, whatever language was detected meanwhile
    desk.job.source_language = "de"
    assert chosen_sound(cast(Work, desk)) == number


def test_what_is_asked_for_is_taken_without_a_word() -> None:
    desk = Desk("es", audio_track=2)
    assert choose_sound(cast(Work, desk), [MAIN, OTHER]) == (2, [])
    with pytest.raises(InputError, match="no sound track 3"):
        choose_sound(cast(Work, Desk("es", audio_track=3)), [MAIN, OTHER])


def test_one_sound_needs_no_words() -> None:
    assert choose_sound(cast(Work, Desk("en")), [MAIN]) == (1, [])


def test_a_job_of_an_older_release_has_no_choice() -> None:
    assert chosen_sound(cast(Work, Desk("en"))) is None
