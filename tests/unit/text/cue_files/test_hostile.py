"""Files made to occupy whoever reads them: at the largest size that is read, each is read or refused in seconds."""

import gc
import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octavia.errors import InputError
from octavia.text.cue_files import CueFormat, check_size, read, recognised, recognised_text
from octavia.text.cue_files.encodings import ENCODINGS

CHARS = 100_000
SIZE = 6_400_000
SECONDS = 5.0
HEAD_SECONDS = 0.1

BEGINS: dict[CueFormat, str] = {"vtt": "WEBVTT\n\n", "sub": "{1}{1}25\n", "ass": "[Events]\n"}
CUES: dict[CueFormat, str] = {
    "srt": "00:00:01,000 --> 00:00:02,000\n",
    "vtt": "00:01.000 --> 00:02.000\n",
    "ass": "Dialogue: 0,0:00:01.00,0:00:02.00,,,0,0,0,,",
    "sbv": "0:00:01.000,0:00:02.000\n",
    "lrc": "[00:01.00]",
    "sub": "{1}{2}",
}
TAGS = ("<", "<v", "<v ", "< ", "<a>", "<b", "<rt>", "<v &a>", "<v &#1;>", "</", "<.>", "<00:00:01.000>")
ILL = {
    "srt": (*TAGS, "{\\", "{\\}", "{y:", "}", "&", "&#1", "&a;", "\\N", "-->", "--&gt;", "\u200e", "1:", "\u2060"),
    "vtt": (*TAGS, "&", "&#9", "&#x1", "&a", "&amp", "\u2060", "\t", "NOTE "),
    "ass": ("{", "{}", "{\\p1", "\\p1}", "{\\p1}", "\\N", ",", "❴\u2060", "}", "Dialogue:"),
    "sbv": ("[br]", "[", "[br", "0:", ",", "\t", "1:1:1.1,"),
    "lrc": ("[", "[0:1]", "[0:1", "<0:1>", "<0:", "]", "\t", "[a:"),
    "sub": ("{", "{1}", "{y:", "{y:}", "/", "|", "|/", "\t", "[", "{\\"),
}
"""What has a meaning in a format, by itself or at its beginning."""


def seconds(data: str | bytes, format: CueFormat, language: str | None = None, *, chars: int = CHARS) -> float:
    """Return the processor time of reading a file, or of refusing it for a reason."""
    data = data if isinstance(data, bytes) else data.encode()
    # A collection of garbage takes as long as this whole test run is large.
    gc.disable()
    began = time.process_time()
    with suppress(InputError):
        check_size(len(data), most_chars=chars)
        read(data, format, longest_seconds=36_000, most_chars=chars, language=language)
    took = time.process_time() - began
    gc.enable()
    return took


def filled(text: str, size: int = SIZE) -> str:
    return text * (size // len(text.encode()))


def shapes(format: CueFormat, ill: str) -> Iterator[str]:
    """Make files of an ill sign: one that no cue ends, and one of as long cues as are read, a quarter as large."""
    begin, cue = BEGINS.get(format, ""), CUES[format]
    yield begin + cue + filled(ill, SIZE - 100)
    yield begin + filled(cue + filled(ill, 3_900) + "\n\n", SIZE // 4)


@pytest.mark.parametrize("format", CUES)
def test_no_sign_of_a_format_is_slow_to_read(format: CueFormat) -> None:
    for ill in (*ILL[format], " ", "\u3000", "0", "a", "é", "😀"):
        for number, text in enumerate(shapes(format, ill)):
            assert seconds(text, format) < SECONDS, (ill, number)


@pytest.mark.parametrize("format", [*CUES, "ttml", "json"])
def test_nor_are_lines_and_what_ends_them(format: CueFormat) -> None:
    begin, cue = BEGINS.get(format, ""), CUES.get(format, "<tt>")
    for end in ("\n", "\r", "\r\n", "\n\r", "\r\r\n", "a\n", "-->\n", "\n ", f"\n{cue}", "\ufeff", "\0"):
        assert seconds(begin + filled(end, SIZE - 100), format) < SECONDS, end
        # And a quarter of as many as are read
        assert seconds(begin + cue + end * 50_000, format) < SECONDS, end


XML = "<tt xmlns:m='m'><head><m:agent xml:id='a'><m:name>{}</m:name></m:agent></head><body>{}</body></tt>"
SPECIAL: dict[str, tuple[CueFormat, Callable[[], str]]] = {
    "a long note above many arrows": ("vtt", lambda: "WEBVTT\n\nNOTE " + "x" * 3_000_000 + "\n" + "-->\n" * 190_000),
    "a long header": ("vtt", lambda: "WEBVTT " + filled(" ", SIZE - 10)),
    "digits": ("vtt", lambda: "WEBVTT\n\n00:01.000 --> 00:02.000\n&#" + filled("9", SIZE - 100)),
    "spaces after a voice": (
        "vtt",
        lambda: "WEBVTT\n\n" + filled("00:01.000 --> 00:02.000\n<v" + " " * 3_900 + "\n\n", SIZE - 99),
    ),
    "names": ("vtt", lambda: "WEBVTT\n\n" + filled("00:01.000 --> 00:02.000\n<v " + "&a" * 1_900 + ">\n\n", SIZE - 99)),
    "settings": ("vtt", lambda: "WEBVTT\n\n00:01.000 --> 00:02.000" + filled(" ", SIZE - 100) + "a"),
    "spaces after a time": ("vtt", lambda: "WEBVTT\n\n00:01.000" + filled(" ", SIZE - 100) + "->"),
    "a rate and spaces": ("sub", lambda: "{1}{1}25" + filled(" ", SIZE - 100) + "x"),
    "a rate, spaces and more spaces": ("sub", lambda: "{1}{1}25 fps" + filled(" ", SIZE - 100) + "x"),
    "a line that is sung all the time": ("lrc", lambda: "[0:1]" * 600_000 + "x" * 3_000_000),
    "a tag": ("lrc", lambda: "[a:" + filled(" ", SIZE - 10)),
    "a closed tag": ("lrc", lambda: "[a:x]" + filled(" ", SIZE - 10) + "x"),
    "times": ("sbv", lambda: "0:00:01.000,0:00:02.500" + filled(" ", SIZE - 100) + "x"),
    "a format of many fields": (
        "ass",
        lambda: "[Events]\nFormat: Start,End," + "a," * 2_000_000 + "Text\n" + "Dialogue: 0,x\n" * 99,
    ),
    "a long arrow": ("srt", lambda: "1" * 3_000_000 + "-->" * 1_000_000),
    "cues that share all their lines": ("srt", lambda: filled(CUES["srt"] + "a\n" * 1_990)),
    "an agent in pieces": ("ttml", lambda: XML.format("aaaa<x/>" * 700_000, "")),
    "an agent with a long name": (
        "ttml",
        lambda: XML.format("a" * 3_000_000, "<p begin='1s' end='2s' m:agent='a'>x</p>" * 70_000),
    ),
    "a long namespace": ("ttml", lambda: f"<tt xmlns='{'u' * 3_000_000}'>" + "<p/>" * 800_000),
    "a namespace in each name": ("ttml", lambda: f"<tt xmlns:a='{'u' * 200}'>" + "<a:p a:b=''/>" * 480_000),
    "many namespaces": ("ttml", lambda: "<tt " + " ".join(f"xmlns:a{n}='{n}'" for n in range(270_000)) + "><p/><p/>"),
    "many attributes": ("ttml", lambda: "<tt " + " ".join(f"a{n}=''" for n in range(500_000)) + "/>"),
    "elements": ("ttml", lambda: "<tt>" + "<p/>" * 1_500_000),
    "depth": ("ttml", lambda: filled("<tt>")),
    "an open tag": ("ttml", lambda: "<tt " + filled(" ", SIZE - 10)),
    "a long name": ("ttml", lambda: "<tt><" + filled("a", SIZE - 10)),
    "a long comment": ("ttml", lambda: "<tt><!-" + filled("-", SIZE - 10)),
    "a long section": ("ttml", lambda: "<tt><![CDATA[" + filled("]", SIZE - 20)),
    "characters by number": ("ttml", lambda: "<tt><p begin='1s' end='2s'>" + filled("&#1;", SIZE - 50)),
    "spans": ("ttml", lambda: "<tt><p>" + "<span begin='1s' end='2s'/>" * 230_000),
    "breaks": ("ttml", lambda: "<tt><p begin='1s' end='2s'>" + "<br/>" * 1_200_000),
    "a long time": ("ttml", lambda: "<tt><p begin='" + filled("1", SIZE - 50) + "'/></tt>"),
    "entities": (
        "ttml",
        lambda: "<!DOCTYPE tt [<!ENTITY a 'a'>" + "".join(f"<!ENTITY a{n} '&a;&a;'>" for n in range(9)),
    ),
    "lists": ("json", lambda: '{"utterances":[' + "[]," * 2_000_000 + "[]]}"),
    "numbers": ("json", lambda: '{"utterances":[' + "1," * 3_000_000 + "1]}"),
    "a long number": ("json", lambda: '{"utterances":[{"start":' + "1" * 6_000_000 + "}]}"),
    "a long fraction": ("json", lambda: '{"utterances":[{"start":0.' + "1" * 6_000_000 + ',"end":1,"text":"a"}]}'),
    "a long exponent": ("json", lambda: '{"utterances":[{"start":1e' + "1" * 6_000_000 + ',"end":1,"text":"a"}]}'),
    "depth of lists": ("json", lambda: '{"utterances":' + "[" * 800_000),
    "depth of objects": ("json", lambda: '{"a":' * 200_000),
    "fields": ("json", lambda: '{"utterances":[{' + ",".join(f'"{n}":1' for n in range(600_000)) + "}]}"),
    "a text": ("json", lambda: json.dumps({"text": filled("a ", SIZE - 100), "utterances": []})),
    "rows": ("json", lambda: '{"utterances":[' + ",".join(['{"start":0,"end":1,"text":"a"}'] * 200_000) + "]}"),
    "escapes": ("json", lambda: '{"utterances":[{"start":0,"end":1,"text":"' + filled("\\ud83d", SIZE - 100) + '"}]}'),
    "an open string": ("json", lambda: '{"' + filled("\\\\", SIZE - 10)),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_nor_is_what_a_reader_compares_or_keeps(name: str) -> None:
    format, made = SPECIAL[name]
    assert seconds(made(), format) < SECONDS


@pytest.mark.parametrize("language", ["en", "ru", "cs", "lt", "ja", "ko", None])
def test_nor_are_bytes_that_may_be_any_text(language: str | None) -> None:
    # Given bytes of no encoding, and letters that are in all of a language's encodings
    files = [random.Random(12).randbytes(SIZE).replace(b"\0", b"0"), filled("\ufeff").encode(), b"\xff\xfe" * 3_000_000]
    files += [filled("é").encode("utf-16-be"), b"\0a" * 3_000_000, b"\0\0a\0" * 1_500_000]
    for name in ENCODINGS.get(language or "", ()):
        letters = {"ru": "слово ", "cs": "žluť ", "lt": "ąč ", "ja": "男の子", "ko": "소년"}.get(language or "", "é")
        with suppress(UnicodeEncodeError):
            files.append((CUES["srt"] + filled(letters, SIZE // 2)).encode(name))
    for number, data in enumerate(files):
        # Then none takes long to be told apart
        assert seconds(data[:SIZE], "srt", language) < SECONDS, number


@pytest.mark.parametrize(
    "ill", ["a\n", "->\n", "-->\n", "1\n", "é\n", "\u200e", "<a", "[1:1\n", "\n", " ", "1é" * 140 + "\n"]
)
def test_a_beginning_is_recognised_in_milliseconds(ill: str) -> None:
    # Given the longest text that a request may have, which is looked at on the event loop
    text = filled(ill, CHARS)
    began = time.process_time()
    recognised_text(text)
    recognised(text.encode()[: 16 * 1024], "talk.srt")
    assert time.process_time() - began < HEAD_SECONDS


UNITS = [
    "\n",
    " ",
    "<v",
    "<v ",
    ">",
    "&#",
    "&a",
    "{\\",
    "{",
    "}",
    "-->",
    "00:01.000 --> 00:02.000\n",
    "\n\n",
    "[0:1]",
    "{1}{2}",
]
UNITS += [
    "Dialogue: 0,0:00:01.00,0:00:02.00,,,0,0,0,,",
    "0:00:01.000,0:00:02.000\n",
    "NOTE x\n",
    "a",
    "é",
    "-",
    "|",
    "<p>",
    "</p>",
]
UNITS += ["<tt begin='1s' end='2s'>", "[", "]", ",", '"', '{"utterances":[', '{"start":0,"end":1,"text":"a"},', ":1"]


@pytest.mark.parametrize("format", [*CUES, "ttml", "json"])
@settings(max_examples=8, deadline=None)
@given(units=st.lists(st.sampled_from(UNITS), min_size=1, max_size=4).map("".join))
def test_eight_times_the_length_takes_no_longer_than_so_many_times(format: CueFormat, units: str) -> None:
    begin = BEGINS.get(format, "") + CUES.get(format, {"ttml": "<tt>", "json": '{"utterances":['}.get(format, ""))

    def of(size: int) -> float:
        return seconds(begin + filled(units, size), format, chars=10**8)

    # Quadratic would be 64 times; a measurement of a busy machine may be twice too long.
    short = of(20_000)
    assert of(160_000) < 32 * max(short, 0.005)
