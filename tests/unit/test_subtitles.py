import html
import json
from itertools import pairwise

import pysubs2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octavia.engines.types import Word
from octavia.lines import group
from octavia.subtitles import FORMATS, MEDIA_TYPES, Cue, cues, to_srt, to_txt, to_vtt, write
from octavia.transcripts import Transcript
from octavia.utterances import Utterance

NASTY = [
    "a --> b",
    "00:00:01,000 --> 00:00:02,000",
    "<b>bold</b> & <i>5 < 6</i>",
    "{\\an8}up {y:i} {plain}",
    "שלום עולם",
    "line one\nline two\n\n\nline three",
    "42",
    "-->",
    "nul\x00and bell\x07",
]


def utterance(text: str, start: float = 0.0, end: float = 4.0, **more) -> Utterance:
    return Utterance(f"0-{int(start)}", 0, start, end, text, **more)


def vtt_lines(text: str) -> list[str]:
    return [html.unescape(line) for line in text.split("\n\n")[1].splitlines()[1:]]


@pytest.mark.parametrize("text", NASTY)
def test_srt_keeps_any_text_through_another_parser(text):
    # Given a text with what players take for markup, between two plain ones
    plain = [utterance("before", 0, 1), utterance(text, 2, 4), utterance("after", 5, 6)]
    # When it is written, and read by another library with its markup rules on
    read = pysubs2.SSAFile.from_string(write("srt", Transcript(tuple(plain))), format_="srt")
    # Then there are three cues, and the text is what it was
    assert [event.text for event in read][::2] == ["before", "after"]
    shown = read[1].text.replace("\u2060", "").replace("\\N", " ")
    assert shown == " ".join("".join(c for c in text if c.isspace() or c >= " ").split())


@pytest.mark.parametrize("text", NASTY)
def test_vtt_escapes_any_text(text):
    written = write("vtt", Transcript((utterance(text),)))
    body = written.split("\n\n")[1].splitlines()[1:]
    # Then no line can be taken for a time line or a tag
    assert not any("-->" in line or "<" in line or ">" in line for line in body)
    assert " ".join(vtt_lines(written)) == " ".join("".join(c for c in text if c.isspace() or c >= " ").split())


def test_times_are_written_to_the_millisecond():
    cue = [Cue(3661.0015, 3662.9996, ("x",))]
    assert "01:01:01,002 --> 01:01:03,000" in to_srt(cue)
    assert to_vtt(cue).startswith("WEBVTT\n\n01:01:01.002 --> 01:01:03.000\nx\n")


def test_a_long_text_gets_several_balanced_cues():
    # Given more than two lines of text
    text = "And Mr. John Dashwood had then leisure to consider how much there might be prudently in his power to do."
    found = cues([utterance(text, 10, 16)])
    # Then there are two cues of similar length that share the time by letters
    assert len(found) == 2
    assert all(len(cue.lines) <= 2 and max(map(len, cue.lines)) <= 42 for cue in found)
    assert found[0].start == 10
    assert found[0].end == found[1].start == pytest.approx(13, abs=0.5)
    assert found[1].end == 16


def test_cues_begin_with_their_first_word_where_its_time_is_known():
    # Given words of which the second half is spoken late
    texts = ["word"] * 10 + ["late"] * 10
    words = tuple(
        Word(n * 0.1 + (5.0 if n >= 10 else 0.0), n * 0.1 + 0.1, f" {text}", 1) for n, text in enumerate(texts)
    )
    source = utterance(" ".join(texts), 0, 8, words=words)
    # When a cue has ten words
    _, second = cues([source], max_line_length=25, max_lines=2)
    # Then the second begins when the eleventh is spoken
    assert second.start == pytest.approx(6.0)
    # And for the translation, whose words have no times, in the middle
    translated = utterance(" ".join(texts), 0, 8, words=words, translation=" ".join(texts))
    assert cues([translated], translated=True, max_line_length=25)[1].start == pytest.approx(4.0)


def test_a_short_cue_stays_readable_where_there_is_room():
    found = cues([utterance("Yes.", 1, 1.2), utterance("No.", 1.5, 1.6), utterance("Well.", 9, 9)])
    assert [(cue.start, cue.end) for cue in found] == [(1, 1.5), (1.5, 2.5), (9, 10)]


spans = st.lists(st.tuples(st.floats(0, 50), st.floats(0, 20), st.text(alphabet="ab 字,", max_size=150)), max_size=8)


@settings(deadline=None)
@given(spans)
def test_cues_never_overlap_and_lose_no_letter(items):
    source = [utterance(text, start, start + length) for start, length, text in items]
    found = cues(source)
    assert all(cue.end - cue.start >= 0.19 for cue in found)
    assert all(first.end <= second.start for first, second in pairwise(found))
    letters = "".join("".join(cue.lines) for cue in found).replace(" ", "")
    assert letters == "".join(text for _, _, text in items).replace(" ", "")


@settings(deadline=None)
@given(st.text(alphabet="abc 字。é\u0301", max_size=300), st.integers(4, 42), st.integers(1, 3))
def test_lines_are_bounded(text, width, lines):
    parts = group(text, width=width, lines=lines)
    assert all(0 < len(part) <= lines for part in parts)
    columns = [sum(2 if c in "字。" else 0 if c == "\u0301" else 1 for c in line) for part in parts for line in part]
    assert all(count <= width for count in columns)


def test_japanese_is_broken_between_letters_but_not_before_a_full_stop():
    (part,) = group("これはペンです。", width=14, lines=2)
    assert len(part) == 2
    assert not part[1].startswith("。")


@pytest.mark.parametrize("format", ["srt", "vtt"])
def test_lines_are_as_long_and_as_many_as_is_asked_for(format):
    said = Transcript((utterance("one two three four five six seven eight nine ten"),))
    wide = write(format, said, max_line_length=80, max_lines=1)
    narrow = write(format, said, max_line_length=10, max_lines=1)
    assert "one two three four five six seven eight nine ten\n" in wide
    lines = [line for line in narrow.splitlines() if line and not line.isdigit() and "-->" not in line]
    assert max(len(line) for line in lines if line != "WEBVTT") <= 10
    assert narrow.count("-->") == len([line for line in lines if line != "WEBVTT"])
    assert write(format, said) == write(format, said, max_line_length=42, max_lines=2)


def test_txt_keeps_the_layout_of_a_text_and_gives_speech_a_line_each():
    laid_out = [
        utterance("Title", breaks=0),
        utterance("One.", breaks=2),
        utterance("Two.", breaks=0),
        utterance("- item", breaks=1),
    ]
    assert to_txt(laid_out) == "Title\n\nOne. Two.\n- item\n"
    assert to_txt([utterance("A."), utterance("B.")]) == "A.\nB.\n"
    assert to_txt([utterance("一。", breaks=0), utterance("二。", breaks=0)]) == "一。二。\n"


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_said_is_a_valid_file(format):
    written = write(format, Transcript(()))
    expected = {"txt": "", "srt": "", "vtt": "WEBVTT\n\n"}
    assert (json.loads(written)["utterances"] == []) if format == "json" else (written == expected[format])
    assert "/" in MEDIA_TYPES[format]


def test_an_unknown_format_is_refused():
    with pytest.raises(ValueError, match="unknown format"):
        write("ass", Transcript(()))
