"""Subtitles in the process that reads strangers' files: the same cues as here, within its time and memory."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from structlog.testing import capture_logs

from octavia.errors import InputError, OctaviaError
from octavia.media.sandbox import process
from octavia.media.sandbox.parent import Sandbox
from octavia.text.cue_files import CueFormat, GivenCues, read
from octavia.text.cue_files.encodings import ENCODINGS
from octavia.text.transcripts import Transcript
from octavia.text.utterances import Utterance
from tests.support.given_cues import FIXTURES
from tests.support.waiting import until
from tests.unit.text.cue_files.test_encodings import SAID

LIMITS: dict[str, Any] = {"longest_seconds": 36_000, "most_chars": 100_000}
TIMES = "00:00:01,000 --> 00:00:02,000\n"
LETTERS = "Words. éüßñ’“” ąćęłńóśźż čďěňřšťůž âîşţ çğıöşü слово їєґ ąčęėįšųūž αβγ שלום 男の子。 소년"


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    box = Sandbox()
    yield box
    box.close()


def here(path: Path, format: CueFormat, language: str | None = None) -> GivenCues | str:
    try:
        return read(path.read_bytes(), format, language=language, **LIMITS)
    except InputError as error:
        return error.message


def there(box: Sandbox, path: Path, format: CueFormat, language: str | None = None) -> GivenCues | str:
    try:
        return box.read_cues(path, format, language=language, **LIMITS)
    except InputError as error:
        return error.message


def written(tmp_path: Path, data: bytes | str) -> Path:
    path = tmp_path / "file"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def test_every_format_is_read_as_it_is_here(box: Sandbox, tmp_path: Path) -> None:
    # Given the fixtures of all formats, a transcript, and a file of more cues than one message takes
    utterances = (Utterance("0-0", 0, 0.0, 1.0, "Yes.", speaker="Ann"),)
    files: list[tuple[str | bytes, CueFormat]] = [
        (Transcript(utterances, language="en").to_json(), "json"),
        ("".join(f"{TIMES}No. {number}\n\n" for number in range(2000)), "srt"),
        ("00:00:01,000 --> 00:00:02,000\n<i>é</i>\n", "srt"),
        ("{1}{1}25\n{25}{50}{y:i}One|two\n", "sub"),
        ("[00:01.50]One\n", "lrc"),
        ("0:00:01.000,0:00:02.500\nOne\n", "sbv"),
        ("no subtitles", "vtt"),
    ]
    ttml = '<tt xmlns="http://www.w3.org/ns/ttml"><body><p begin="1s" end="2s">One</p></body></tt>'
    files.append((ttml, "ttml"))
    suffixes: dict[str, CueFormat] = {".srt": "srt", ".vtt": "vtt", ".ass": "ass"}
    files += [
        (path.read_bytes(), suffixes[path.suffix]) for path in sorted(FIXTURES.iterdir()) if path.suffix in suffixes
    ]
    assert {format for _, format in files} == {"srt", "vtt", "ass", "ttml", "sbv", "lrc", "sub", "json"}
    for data, format in files:
        # When the process reads them, then cues, warnings and errors are those of reading them here
        path = written(tmp_path, data)
        assert there(box, path, format) == here(path, format)


@pytest.mark.parametrize("language", [None, *ENCODINGS])
def test_every_encoding_is_loaded_before_rights_are_given_up(
    box: Sandbox, tmp_path: Path, language: str | None
) -> None:
    # Given words in every encoding of a language and of Unicode, of this language and of many
    unicode = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
    older = ENCODINGS.get(language or "", ())
    for name in (*unicode, *older):
        for words in (SAID.get(language or "", "Café"), LETTERS):
            path = written(tmp_path, (TIMES + words).encode(name, "ignore"))
            # When the process reads it, then it is the text, or the error, that it is here
            found = there(box, path, "srt", language)
            assert found == here(path, "srt", language)
            assert isinstance(found, GivenCues) or name in older


def test_what_takes_too_much_memory_is_refused_in_words_that_fit(box: Sandbox, tmp_path: Path) -> None:
    # Given an operator who allows any length, and a file of so many lines that they do not fit into the memory
    path = written(tmp_path, TIMES + "a\n" * 8_000_000)
    # When it is read
    with pytest.raises(InputError, match="takes more memory") as refused:
        box.read_cues(path, "srt", longest_seconds=36_000, most_chars=10**9)
    # Then the file is at fault, and the next one is read
    assert (refused.value.code, refused.value.field, bool(refused.value.hint)) == ("bad_subtitles", "file", True)
    assert box.read_cues(written(tmp_path, TIMES + "Yes.\n"), "srt", **LIMITS).cues[0].text == "Yes."


@pytest.mark.parametrize(
    ("number", "code", "said", "retryable"),
    [
        (signal.SIGXCPU, "bad_subtitles", "takes far longer", False),
        (signal.SIGSEGV, "bad_subtitles", "crash what reads them", False),
        (signal.SIGKILL, "decoder_lost", "killed from outside", True),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_how_it_dies_tells_whose_fault_it_is(
    tmp_path: Path, number: int, code: str, said: str, retryable: bool
) -> None:
    # Given a process that is given subtitles while it is stopped
    box = Sandbox()
    process = box.start()
    os.kill(process.pid, signal.SIGSTOP)
    until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
    path, raised = written(tmp_path, TIMES + "Yes.\n"), []

    def ask() -> None:
        try:
            box.read_cues(path, "srt", **LIMITS)
        except OctaviaError as error:
            raised.append(error)

    with capture_logs() as logs:
        asking = threading.Thread(target=ask)
        asking.start()
        until(lambda: process.asked == 1)
        # When it dies
        os.kill(process.pid, number)
        os.kill(process.pid, signal.SIGCONT)
        asking.join()
    # Then that is said in words for subtitles, and only a death from outside is worth another attempt
    (error,) = raised
    assert (error.code, error.retryable) == (code, retryable)
    assert said in error.message
    (line,) = [line for line in logs if line["event"] == "sandbox_ended"]
    assert (line["task"], line["code"], line["deaths"]) == ("cues", code, 1)
    box.close()


TAKEN_OVER = """
import socket
from octavia.media.sandbox import wire
with socket.socket(fileno=0) as connection:
    layers = {{"network_left": True, "root_left": True, "landlock": 0, "seccomp": True}}
    wire.send_json(connection, wire.Kind.READY, layers)
    wire.receive_request(connection)
    wire.receive(connection)
    for _ in range({times}):
        wire.send(connection, wire.Kind.{kind}, {content!r})
    # An end before the answer is read would be an end by itself.
    connection.recv(1)
"""
ROW = b'{"start": 0.0, "end": 1.0, "text": "Yes.", "speaker": null}'


@pytest.mark.parametrize(
    ("kind", "content", "times"),
    [
        ("CUES", b"[", 1),
        ("CUES", b"[" * 10_000, 1),
        ("CUES", b"[1]", 1),
        ("CUES", b"[" + ROW.replace(b"0.0", b"NaN") + b"]", 1),
        ("CUES", b"[" + ROW.replace(b"null", b"[]") + b"]", 1),
        ("CUES", b"[" + ROW.replace(b"Yes.", b"Yes." * 30_000) + b"]", 1),
        ("CUES", b"[" + ROW + b"]", 200_000),
        ("END", b"", 1),
        ("END", b"[1]", 1),
        ("REFUSED", b"{}", 1),
        ("REFUSED", b"1", 1),
        ("BROKEN", b"[]", 1),
    ],
)
def test_nonsense_of_a_process_that_was_taken_over_is_the_files_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, content: bytes, times: int
) -> None:
    # Given a process that answers what it likes
    monkeypatch.setattr(process, "_BOOT", TAKEN_OVER.format(kind=kind, content=content, times=times))
    box, path = Sandbox(), written(tmp_path, TIMES + "Yes.\n")
    # When it is asked for cues
    with pytest.raises(InputError) as refused:
        box.read_cues(path, "srt", **LIMITS)
    # Then the file is refused, and no attempt more is made
    assert (refused.value.code, refused.value.retryable) == ("bad_subtitles", False)
    box.close()
