"""No subtitles are taken for prose or for a recording."""

import pytest

from octavia.errors import InputError
from octavia.text.cue_files import recognised, recognised_text, refuse_recording

TIMES = "00:00:01,000 --> 00:00:02,000\nHello.\n"


@pytest.mark.parametrize(
    "name",
    ["a.srt", "a.SRT", "a.vtt", "a.ass", "a.ssa", "a.ttml", "a.dfxp", "a.sbv", "a.sub", "a.lrc", ".srt", "a.srt "],
)
def test_a_file_named_like_subtitles_is_never_anything_else(name: str) -> None:
    # Given files of that name: with nothing of that format in them, or with a recording
    assert recognised(b"Once upon a time.", name) is not None
    assert recognised("Es war einmal ein B\xe4r.".encode("cp1252"), name) is not None
    for data in (b"RIFF\x24\0\0\0WAVEfmt ", b"\0\0\x01\xba\x44\0", b"ID3\x04\0\0\0"):
        with pytest.raises(InputError, match="it is no text") as refused:
            recognised(data, name)
        assert refused.value.code == "bad_subtitles"
    # Then it is no recording either
    with pytest.raises(InputError, match="subtitles") as heard:
        refuse_recording(b"Once upon a time.", name)
    assert (heard.value.code, "recording" in heard.value.hint) == ("wrong_input", True)


@pytest.mark.parametrize(
    "text",
    [
        TIMES,
        "Subtitles by somebody\n\n" * 50 + TIMES,
        TIMES.replace(":", " : "),
        TIMES.replace(",", "."),
        TIMES.replace(",000", ""),
        "1\n-0:0:1 --> 0:0:2\nHello.",
        "00:00:0x,000 --> 00:00:02,000\nHello.",
        "1.5 --> 2.5\nHello.",
        "00h00m01s --> 00h00m02s\nHello.",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_text_with_times_is_subtitles_whatever_its_name(text: str, encoding: str) -> None:
    for end in ("\n", "\r\n", "\r", "\n\n"):
        assert recognised(text.replace("\n", end).encode(encoding), "notes.txt") == "srt"
    assert recognised_text(text) == "srt"


@pytest.mark.parametrize(
    "text",
    [
        "One thing is certain --> nothing.",
        "Open Settings --> Sound --> 3.",
        "The bus: 10:30 → 11:15, 12:30 → 13:15",
        "10:30 -> 11:15",
        "[1] Once upon a time",
        "{a} {b}",
        "<p>Once</p>",
        "On 2031-01-02, 10:00:01 it rained.",
    ],
)
def test_prose_with_arrows_or_times_stays_prose(text: str) -> None:
    assert recognised_text(text) is None
    refuse_recording(text.encode(), "talk.wav")


def test_the_contents_count_more_than_the_name() -> None:
    assert recognised(b"WEBVTT\n\n", "a.srt") == "vtt"
    assert recognised(b"[Script Info]\n", "a.srt") == "ass"
    assert recognised(TIMES.encode(), "a.sub") == recognised(TIMES.encode(), "a.sbv") == "srt"
    # Except where a format has a grammar that knows better
    assert recognised(TIMES.encode(), "a.vtt") == "vtt"
