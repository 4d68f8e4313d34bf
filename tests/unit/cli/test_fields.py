from pathlib import Path

import pytest

from octavia.cli.fields import input_of, original_sound, voices_of
from octavia.errors import InputError
from octavia.jobs.tables.states import Background, JobType


def test_input_of_subtitles_is_a_file(tmp_path: Path) -> None:
    path, text = tmp_path / "talk.vtt", tmp_path / "talk.txt"
    path.write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nGood morning.\n")
    text.write_text("Good morning.")
    assert input_of(JobType.TRANSLATE, path, None, None) == {"file": path}
    assert input_of(JobType.TRANSLATE, text, None, None) == {"text": "Good morning."}


def test_voices_of_speakers() -> None:
    assert voices_of(["Ann Lee=ef_dora", "a=b=em_alex"]) == {"Ann Lee": "ef_dora", "a=b": "em_alex"}
    assert voices_of(None) is None
    for wrong in ("Ann", "=ef_dora", "Ann="):
        with pytest.raises(InputError, match="speaker"):
            voices_of([wrong])


def test_original_sound_names_only_what_is_not_the_default() -> None:
    kept = {"background": None, "background_level": None, "audio_tracks": None}
    assert original_sound(Background.NONE, None, replace_audio=False) == kept
    ducked = {"background": "duck", "background_level": -9.0, "audio_tracks": "replace"}
    assert original_sound(Background.DUCK, -9.0, replace_audio=True) == ducked
