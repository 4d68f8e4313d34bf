"""Names and transcripts may hold anything; terminals and pipes stay sane."""

import io
import json
import os
import sys

import pytest

from octavia.cli.printable import accept_all_text, in_a_line, json_text, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Käse 会議 👩‍🚀\tx", "Käse 会議 👩‍🚀\tx"),
        ("\x1b[2Jgone\x07", r"\x1b[2Jgone\x07"),
        ("a\rb\u2028c\x9bd", r"a\x0db\u2028c\x9bd"),
        ("invoice\u202efdp.exe", r"invoice\u202efdp.exe"),
        (os.fsdecode(b"caf\xe9.ogg"), r"caf\xe9.ogg"),
    ],
)
def test_controls_are_written_out(text: str, shown: str) -> None:
    assert printable(text) == in_a_line(text) == shown


def test_a_name_stays_in_its_line() -> None:
    assert in_a_line("a\nerror: b") == r"a\nerror: b"
    assert printable("a\nb") == "a\nb"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_json_is_valid_whatever_names_are_in_it(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    # Given a stdout, and a path that is no UTF-8
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding))
    path = os.fsdecode(b"caf\xe9/") + "語.ogg"
    # When it is printed as JSON
    text = json_text({"path": path})
    # Then that can be encoded, and every program reads the same path from it
    assert json.loads(text.encode(encoding)) == {"path": path}
    assert os.fsencode(json.loads(text)["path"]) == b"caf\xe9/" + "語.ogg".encode()


def test_a_strict_stdout_takes_all_text(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given streams that raise an error for what they cannot encode
    streams = [io.TextIOWrapper(io.BytesIO(), "ascii", errors="strict") for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    # When a command begins
    accept_all_text()
    # Then they write it out
    for stream in streams:
        stream.write("é…")
        stream.flush()
        assert stream.buffer.getvalue() == rb"\xe9\u2026"  # type: ignore[attr-defined]
