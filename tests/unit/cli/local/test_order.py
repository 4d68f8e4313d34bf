import io
import sys
from pathlib import Path

import pytest

from octavia.cli.fields import input_of, voices_of
from octavia.cli.local.order import Request, text_input
from octavia.errors import InputError
from octavia.jobs.tables.states import JobType


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "talk.wav"
    path.write_bytes(b"RIFF\0\0\0\0WAVE")
    return path


def test_languages_may_be_given_as_tags_or_names(recording: Path) -> None:
    # When a dub is asked for with a region tag and a language's name
    request = Request.media("dub", recording, source="en-US", target="Spanish")

    # Then both are the codes that the rest of Octavia uses
    assert (request.source, request.target) == ("en", "es")


@pytest.mark.parametrize(
    ("source", "target", "code"), [("en", "xx-nope", "unknown_language"), ("es-MX", "es", "same_language")]
)
def test_languages_that_make_no_sense_are_refused(recording: Path, source: str, target: str, code: str) -> None:
    with pytest.raises(InputError) as refused:
        Request.media("dub", recording, source=source, target=target)
    assert refused.value.code == code
    assert refused.value.hint


def test_revoicing_keeps_the_language(recording: Path) -> None:
    # When a recording is to be dubbed into its own language
    request = Request.media("dub", recording, source="en", revoice=True, voice="joe")

    # Then the target is the source, and the job is told that this is meant
    assert request.target == "en"
    assert request.options == {"revoice": True, "voice": "joe"}


def test_a_file_that_is_missing_or_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    for name, code in (("missing.wav", "file_not_found"), ("empty.wav", "empty_file")):
        with pytest.raises(InputError) as refused:
            Request.media("transcribe", tmp_path / name, source="auto")
        assert refused.value.code == code


def test_a_file_that_may_not_be_read_is_refused(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a file of somebody else's (who runs the tests may be allowed everything)
    monkeypatch.setattr("os.access", lambda path, mode: False)

    # Then it is refused before anything starts, as a recording and as a text
    for take in (lambda: Request.media("transcribe", recording, source="auto"), lambda: text_input(recording, None)):
        with pytest.raises(InputError) as refused:
            take()
        assert refused.value.code == "file_unreadable"


def test_formats_are_checked_and_named_once(recording: Path) -> None:
    # Given a list with a repetition and capitals
    request = Request.media("dub", recording, source="en", target="es", formats="WAV, mp3,wav")
    assert request.options["formats"] == ["wav", "mp3"]

    # When one of them is unknown
    with pytest.raises(InputError) as refused:
        Request.media("dub", recording, source="en", target="es", formats="wav,aiff")

    # Then it is named, and so are those that can be had
    assert "aiff" in refused.value.message
    assert "opus" in refused.value.hint


def test_only_what_is_set_becomes_an_option(recording: Path) -> None:
    request = Request.media("dub", recording, source="en", target="es", voice=None, formats="wav", speed=1.0)
    assert request.options == {"formats": ["wav"]}


def test_the_fingerprint_tells_commands_and_inputs_apart(recording: Path) -> None:
    def fingerprint(**changed: str) -> str:
        return Request.media("dub", recording, **{"source": "en", "target": "es", **changed}).fingerprint

    # Given a command, the same command has the same fingerprint
    first = fingerprint()
    assert fingerprint() == first

    # When an option or the file changes, so does it
    assert fingerprint(voice="ef_dora") != first
    recording.write_bytes(b"RIFF\0\0\0\0WAVE and more")
    assert fingerprint() != first


def test_text_comes_from_an_option_a_file_or_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given the same text in three places
    file = tmp_path / "speech.txt"
    file.write_text("\ufeffBuenos días.", encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Buenos días.".encode())))

    # Then each gives it, the byte order mark left out
    assert text_input(None, "Buenos días.") == "Buenos días."
    assert text_input(file, None) == "Buenos días."
    assert text_input(Path("-"), None) == "Buenos días."


def test_a_recording_is_not_taken_for_text(tmp_path: Path) -> None:
    for name, data in (("null", b"ID3\0\0"), ("latin", "señor".encode("latin-1"))):
        (tmp_path / name).write_bytes(data)
        assert text_input(tmp_path / name, None) is None


@pytest.mark.parametrize(("file", "text"), [(None, None), (Path("a.txt"), "b")])
def test_one_input_and_only_one_is_needed(file: Path | None, text: str | None) -> None:
    with pytest.raises(InputError, match="one input"):
        text_input(file, text)


@pytest.mark.parametrize(
    ("text", "source", "code"), [(" \n", "en", "text_empty"), ("Hello.", "auto", "language_required")]
)
def test_text_needs_words_and_a_language(text: str, source: str, code: str) -> None:
    with pytest.raises(InputError) as refused:
        Request.text("translate", text, source=source, target="es")
    assert refused.value.code == code


def test_another_glossary_is_another_command(recording: Path) -> None:
    one, other = (
        Request.media("dub", recording, source="en", target="es", glossary={"cat": written})
        for written in ("gato", "felino")
    )
    assert one.fingerprint != other.fingerprint


def test_subtitles_are_known_by_their_beginning(tmp_path: Path) -> None:
    # Given subtitles in a file of any name
    path = tmp_path / "talk.txt"
    path.write_text("1\n00:00:01,000 --> 00:00:02,000\nGood morning.\n")
    # When they are translated, spoken or dubbed, then they are taken for what they are, and their language is needed
    for type_, target in (("translate", "es"), ("synthesize", None), ("dub", "es")):
        assert Request.media(type_, path, source="en", target=target).format == "srt"
        with pytest.raises(InputError) as refused:
            Request.media(type_, path, source="auto", target=target)
        assert refused.value.code == "language_required"
    # When somebody wants to hear them, then they are a recording that is none
    assert Request.media("transcribe", path, source="auto").format is None


def test_a_submission_sends_subtitles_as_a_file(tmp_path: Path) -> None:
    path, text = tmp_path / "talk.vtt", tmp_path / "talk.txt"
    path.write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nGood morning.\n")
    text.write_text("Good morning.")
    assert input_of(JobType.TRANSLATE, path, None, None) == {"file": path}
    assert input_of(JobType.TRANSLATE, text, None, None) == {"text": "Good morning."}


def test_speakers_are_given_their_voices() -> None:
    assert voices_of(["Ann Lee=ef_dora", "a=b=em_alex"]) == {"Ann Lee": "ef_dora", "a=b": "em_alex"}
    assert voices_of(None) is None
    for wrong in ("Ann", "=ef_dora", "Ann="):
        with pytest.raises(InputError, match="speaker"):
            voices_of([wrong])
