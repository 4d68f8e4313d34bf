import os
from pathlib import Path
from typing import Any

import pytest

from octavia.cli.inputs import read_input
from octavia.cli.local.order import Order
from octavia.errors import InputError
from octavia.files import is_device


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "talk.wav"
    path.write_bytes(b"RIFF\0\0\0\0WAVE")
    return path


def test_languages_may_be_given_as_tags_or_names(recording: Path) -> None:
    # When a dub is asked for with a region tag and a language's name
    order = Order.of("dub", recording, source="en-US", target="Spanish")

    # Then both are the codes that the rest of Octavia uses
    assert (order.source, order.target) == ("en", "es")


@pytest.mark.parametrize(
    ("source", "target", "code"), [("en", "xx-nope", "unknown_language"), ("es-MX", "es", "same_language")]
)
def test_languages_that_make_no_sense_are_refused(recording: Path, source: str, target: str, code: str) -> None:
    with pytest.raises(InputError) as refused:
        Order.of("dub", recording, source=source, target=target)
    assert refused.value.code == code
    assert refused.value.hint


def test_revoicing_keeps_the_language(recording: Path) -> None:
    # When a recording is to be dubbed into its own language
    order = Order.of("dub", recording, source="en", revoice=True, voice="joe")

    # Then the target is the source, and the job is told that this is meant
    assert order.target == "en"
    assert order.options == {"revoice": True, "voice": "joe"}


def test_a_file_that_is_missing_or_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    for name, code in (("missing.wav", "file_not_found"), ("empty.wav", "empty_file")):
        with pytest.raises(InputError) as refused:
            Order.of("transcribe", tmp_path / name, source="auto")
        assert refused.value.code == code


def test_a_file_that_may_not_be_read_is_refused(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a file of somebody else's (who runs the tests may be allowed everything)
    monkeypatch.setattr("os.access", lambda path, mode: False)

    # Then it is refused before anything starts, as a recording and as a text
    for take in (lambda: Order.of("transcribe", recording, source="auto"), lambda: read_input(recording, None)):
        with pytest.raises(InputError) as refused:
            take()
        assert refused.value.code == "file_unreadable"


def test_formats_are_checked_and_named_once(recording: Path) -> None:
    # Given a list with a repetition and capitals
    order = Order.of("dub", recording, source="en", target="es", formats="WAV, mp3,wav")
    assert order.options["formats"] == ["wav", "mp3"]

    # When one of them is unknown
    with pytest.raises(InputError) as refused:
        Order.of("dub", recording, source="en", target="es", formats="wav,aiff")

    # Then it is named, and so are those that can be had
    assert "aiff" in refused.value.message
    assert "opus" in refused.value.hint


def test_only_what_is_set_becomes_an_option(recording: Path) -> None:
    order = Order.of("dub", recording, source="en", target="es", voice=None, formats="wav", speed=1.0)
    assert order.options == {"formats": ["wav"]}


def test_the_fingerprint_tells_commands_and_inputs_apart(recording: Path) -> None:
    def fingerprint(**changed: str) -> str:
        return Order.of("dub", recording, **{"source": "en", "target": "es", **changed}).fingerprint

    # Given a command, the same command has the same fingerprint
    first = fingerprint()
    assert fingerprint() == first

    # When an option or the file changes, so does it
    assert fingerprint(voice="ef_dora") != first
    recording.write_bytes(b"RIFF\0\0\0\0WAVE and more")
    assert fingerprint() != first


@pytest.mark.parametrize(
    ("text", "source", "code"), [(" \n", "en", "text_empty"), ("Hello.", "auto", "language_required")]
)
def test_text_needs_words_and_a_language(text: str, source: str, code: str) -> None:
    with pytest.raises(InputError) as refused:
        Order.of("translate", text, source=source, target="es")
    assert refused.value.code == code


def test_another_glossary_is_another_command(recording: Path, tmp_path: Path) -> None:
    orders = []
    for written in ("gato", "felino"):
        terms = tmp_path / "terms.json"
        terms.write_text(f'{{"cat": "{written}"}}')
        orders.append(Order.of("dub", recording, source="en", target="es", glossary=terms))
    assert [order.options["glossary"] for order in orders] == [{"cat": "gato"}, {"cat": "felino"}]
    assert orders[0].fingerprint != orders[1].fingerprint


def test_subtitles_are_known_by_their_beginning(tmp_path: Path) -> None:
    # Given subtitles in a file of any name
    path = tmp_path / "talk.txt"
    path.write_text("1\n00:00:01,000 --> 00:00:02,000\nGood morning.\n")
    # When they are translated, spoken or dubbed, then they are taken for what they are, and their language is needed
    for type_, target in (("translate", "es"), ("synthesize", None), ("dub", "es")):
        assert Order.of(type_, path, source="en", target=target).format == "srt"
        with pytest.raises(InputError) as refused:
            Order.of(type_, path, source="auto", target=target)
        assert refused.value.code == "language_required"
    # When somebody wants to hear them, then the answer says what they are
    with pytest.raises(InputError, match="subtitles") as heard:
        Order.of("transcribe", path, source="auto")
    assert (heard.value.code, "recording" in heard.value.hint) == ("wrong_input", True)
    with pytest.raises(InputError, match="from subtitles does not use revoice"):
        Order.of("dub", path, source="en", revoice=True)


def test_subtitles_in_a_text_are_no_prose() -> None:
    # Given subtitles from stdin or an option
    srt = "1\n00:00:01,000 --> 00:00:02,000\nGood morning.\n"
    # Then their times are not translated
    assert Order.of("translate", srt, source="en", target="es").format == "srt"
    assert Order.of("translate", "Good --> morning.", source="en", target="es").format is None


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.srt", b"Once upon a time.", "no words with times"),
        ("a.vtt", b"00:01.000 --> 00:02.000\nHi.\n", "line 1 is not the signature"),
        ("a.srt", b"1\n00:00:01,000 --> 00:00:02\nOne.\n\n2\n00:00:03 --> 00:99:00\nTwo.\n", "line 6 "),
        ("a.srt", "1\n00:00:01,000 --> 00:00:02\n\u0434\u0430\n".encode("cp1251"), "not in Unicode"),
        ("notes.txt", "1\n00:00:01,000 --> 00:00:02\n\u0434\u0430\n".encode("cp1251"), "not in Unicode"),
        ("a.sub", b"\0\0\x01\xba" * 9, "it is no text"),
    ],
)
def test_subtitles_that_cannot_be_read_are_refused_before_anything_starts(
    tmp_path: Path, name: str, data: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    for type_ in ("translate", "dub"):
        with pytest.raises(InputError, match=said) as refused:
            Order.of(type_, path, source="es", target="en")
        assert refused.value.code == "bad_subtitles"


def test_windows_1252_is_read_where_the_language_makes_it_sure(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    path.write_bytes("1\n00:00:01,000 --> 00:00:02,000\n¿Dónde está el niño?\n".encode("cp1252"))
    assert Order.of("translate", path, source="es", target="en").format == "srt"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"glossary": Path("missing.json"), "revoice": True}, "glossary"),
        ({"voices": {"Ann": "ef_dora"}}, "voices"),
        ({"background_level": -9.0}, "background_level"),
    ],
)
def test_options_without_effect_are_refused(recording: Path, options: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as refused:
        Order.of("dub", recording, source="en", target="es", **options)
    assert (refused.value.code, refused.value.field) == ("not_applicable", field)


@pytest.mark.parametrize("stem", ["a" * 251, "語" * 83, os.fsdecode(b"caf\xe9"), "aux:x", "com¹ "])
def test_the_folder_for_the_results_can_be_made_whatever_the_recording_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stem: str
) -> None:
    # Given a recording with a name that leaves no room for more, or is no UTF-8
    recording = tmp_path / f"{stem}.wav"
    recording.write_bytes(b"RIFF")
    # When it is transcribed without --out
    folder = Order.of("transcribe", recording, source="en").default_out
    # Then the folder can be made, is UTF-8, and says what was done
    monkeypatch.chdir(tmp_path)
    folder.mkdir()
    assert str(folder).encode().endswith(b"-transcribe")
    assert not is_device(str(folder))


def test_a_sound_track_is_an_option_of_recordings(recording: Path) -> None:
    assert Order.of("transcribe", recording, source="en", audio_track=2).options == {"audio_track": 2}
    with pytest.raises(InputError, match="does not use audio_track"):
        Order.of("translate", "Hello.", source="en", target="es", audio_track=2)


@pytest.mark.parametrize("as_text", [False, True], ids=["file", "text"])
def test_a_broken_transcript_is_refused_before_anything_starts(tmp_path: Path, as_text: bool) -> None:
    # Given what begins like a transcript of ours, and has a row that is no object
    path = tmp_path / "transcript.json"
    path.write_text('{"language": "en", "duration": 1, "utterances": [{"start": 0, "end": 1, "text": "Yes."}, 1]}')
    # When it is to be translated
    with pytest.raises(InputError, match="utterance 2 is no object") as refused:
        Order.of(
            "translate",
            read_input(None if as_text else path, path.read_text() if as_text else None),
            source="en",
            target="es",
        )
    # Then that is said at once
    assert refused.value.code == "bad_subtitles"
