"""Which fields a type of job needs, and which it does not take."""

from typing import Any

import pytest

from octavia.api.http.identity import LOCAL
from octavia.api.schemas.requests import JobRequest
from octavia.api.submission.plan import check_length, check_prose, cue_format, cue_format_of_text, plan
from octavia.errors import InputError


def planned(*, from_text: bool = False, **values: Any) -> Any:
    return plan(JobRequest(**values), LOCAL, from_text=from_text)


@pytest.mark.parametrize(
    ("from_text", "values", "field", "code"),
    [
        (False, {"type": "dub"}, "target_language", "missing_field"),
        (False, {"type": "translate"}, "target_language", "missing_field"),
        (True, {"type": "translate", "source_language": "en"}, "target_language", "missing_field"),
        (True, {"type": "translate", "target_language": "es"}, "source_language", "language_required"),
        (True, {"type": "dub", "target_language": "es"}, "source_language", "language_required"),
        (True, {"type": "synthesize"}, "source_language", "language_required"),
        (False, {"type": "dub", "source_language": "en", "target_language": "en"}, "target_language", "same_language"),
        (
            True,
            {"type": "translate", "source_language": "en", "target_language": "en-GB"},
            "target_language",
            "same_language",
        ),
        (
            True,
            {"type": "synthesize", "source_language": "en", "target_language": "es"},
            "target_language",
            "not_applicable",
        ),
        (
            False,
            {"type": "dub", "target_language": "es", "revoice": True, "glossary": {"a": "b"}},
            "glossary",
            "not_applicable",
        ),
        (False, {"type": "transcribe", "glossary": {"a": "b"}}, "glossary", "not_applicable"),
        (True, {"type": "transcribe"}, "text", "wrong_input"),
        (False, {"type": "synthesize"}, "file", "wrong_input"),
        (False, {"type": "transcribe", "target_language": "es"}, "target_language", "not_applicable"),
        (False, {"type": "transcribe", "voice": "joe"}, "voice", "not_applicable"),
        (False, {"type": "translate", "target_language": "es", "formats": "wav"}, "formats", "not_applicable"),
        (False, {"type": "translate", "target_language": "es", "speed": 1.5}, "speed", "not_applicable"),
        (False, {"type": "translate", "target_language": "es", "revoice": True}, "revoice", "not_applicable"),
        (False, {"type": "translate", "target_language": "es", "background": "duck"}, "background", "not_applicable"),
        (False, {"type": "transcribe", "audio_tracks": "replace"}, "audio_tracks", "not_applicable"),
        (
            True,
            {"type": "dub", "source_language": "en", "target_language": "es", "background_level": 0},
            "background_level",
            "not_applicable",
        ),
        (False, {"type": "dub", "target_language": "es", "background_level": -6}, "background_level", "not_applicable"),
        (True, {"type": "synthesize", "source_language": "en", "beam_size": 2}, "beam_size", "not_applicable"),
        (True, {"type": "synthesize", "source_language": "en", "audio_track": 2}, "audio_track", "not_applicable"),
        (
            True,
            {"type": "dub", "source_language": "en", "target_language": "es", "revoice": True},
            "revoice",
            "not_applicable",
        ),
    ],
)
def test_plan_names_the_field_that_does_not_fit(from_text: bool, values: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        planned(from_text=from_text, **values)
    assert (caught.value.field, caught.value.code) == (field, code)
    assert caught.value.hint


def test_plan_keeps_only_the_options_that_were_set() -> None:
    new = planned(type="dub", target_language="es", voice="joe", formats="mp3", metadata={"a": 1}, priority="high")
    assert (new.source_language, new.target_language, new.priority.level) == ("auto", "es", 3)
    assert new.options == {"voice": "joe", "formats": ["mp3"]}
    assert new.meta == {"a": 1}


def test_a_level_of_zero_is_a_level() -> None:
    new = planned(type="dub", target_language="es", background="keep", background_level=0, audio_tracks="replace")
    assert new.options == {"background": "keep", "background_level": 0, "audio_tracks": "replace"}


def test_options_that_are_off_may_be_sent_for_any_type() -> None:
    # Given a client that always sends every field, when it leaves them empty, then nothing is wrong
    new = planned(type="transcribe", voice=None, revoice=False, target_language=None)
    assert new.options == {}


def test_revoicing_needs_only_one_language() -> None:
    new = planned(type="dub", source_language="en", revoice=True)
    assert (new.source_language, new.target_language) == ("en", "en")
    heard = planned(type="dub", revoice=True)
    assert (heard.source_language, heard.target_language) == ("auto", None)
    assert planned(type="dub", source_language="en", target_language="en", revoice=True).target_language == "en"


@pytest.mark.parametrize("values", [{"source_language": "en"}, {"target_language": "en"}])
def test_the_language_of_speech_may_be_named_either_way(values: dict[str, str]) -> None:
    new = planned(from_text=True, type="synthesize", **values)
    assert (new.source_language, new.target_language) == ("en", None)


@pytest.mark.parametrize(("text", "code"), [("", "text_empty"), (" \n\t", "text_empty"), ("x" * 101, "text_too_long")])
def test_text_has_bounds(text: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        check_length(text, 100)
    assert (caught.value.field, caught.value.code) == ("text", code)


def test_text_of_just_the_allowed_length_is_taken() -> None:
    check_length("x" * 100, 100)


def test_subtitles_take_what_only_they_can_have() -> None:
    # Given what a text without times cannot have, and what nobody but subtitles says
    words = {"source_language": "en", "target_language": "es"}
    translation = JobRequest(type="translate", max_line_length=40, **words)
    dub = JobRequest(type="dub", voices={"Ann": "ef_dora"}, **words)
    # When they are given for subtitles, then they are taken
    assert plan(translation, LOCAL, from_text=True, cues=True).options == {"max_line_length": 40}
    assert plan(dub, LOCAL, from_text=True, cues=True).options == {"voices": {"Ann": "ef_dora"}}
    # When for anything else, then that is said
    for request in (translation, dub):
        with pytest.raises(InputError, match="does not use"):
            plan(request, LOCAL, from_text=True)
    with pytest.raises(InputError, match="does not use voices"):
        plan(dub, LOCAL, from_text=False)


SRT = "1\n00:00:01,000 --> 00:00:02,000\nGood morning.\n"


def request(**values: Any) -> JobRequest:
    return JobRequest(**{"type": "dub", "source_language": "en", "target_language": "es", **values})


def test_subtitles_are_known_by_contents_and_name() -> None:
    # Given files and texts, by no format or by one
    assert cue_format(request(), SRT.encode(), "talk") == "srt"
    assert cue_format(request(), b"Once upon a time.", "talk.ass") == "ass"
    assert cue_format(request(input_format="vtt"), SRT.encode(), "talk") == "vtt"
    assert cue_format(request(), b"RIFF", "talk.wav") is None
    assert cue_format_of_text(request(text=SRT)) == "srt"
    assert cue_format_of_text(request(text=SRT, input_format="vtt")) == "vtt"
    assert cue_format_of_text(request(text="Good morning.")) is None
    assert cue_format_of_text(request(input_url="https://example.com/talk.wav")) is None


@pytest.mark.parametrize(
    ("values", "data", "name"),
    [
        ({"type": "transcribe"}, SRT.encode(), "talk.bin"),
        ({"type": "transcribe"}, b"Once upon a time.", "talk.srt"),
        ({"input_format": "media"}, SRT.encode(), "talk.wav"),
        ({"input_format": "media"}, b"Once upon a time.", "talk.vtt"),
    ],
)
def test_subtitles_are_never_taken_for_a_recording(values: dict[str, Any], data: bytes, name: str) -> None:
    with pytest.raises(InputError, match="subtitles") as refused:
        cue_format(request(**values), data, name)
    assert refused.value.code == "wrong_input"


def test_neither_is_what_an_address_names_so() -> None:
    with pytest.raises(InputError, match="subtitles") as refused:
        cue_format_of_text(request(input_url="https://example.com/a/talk.srt?x=1"))
    assert refused.value.code == "wrong_input"


def test_times_are_never_spoken_as_prose() -> None:
    check_prose("The bus leaves at 10:30 --> be there.", field="input")
    with pytest.raises(InputError, match="subtitles") as refused:
        check_prose(SRT, field="input")
    assert (refused.value.code, refused.value.field) == ("wrong_input", "input")


def test_a_recording_named_like_subtitles_is_refused_at_once() -> None:
    with pytest.raises(InputError, match="it is no text") as refused:
        cue_format(request(), b"RIFF\x24\0\0\0WAVE", "talk.srt")
    assert refused.value.code == "bad_subtitles"
