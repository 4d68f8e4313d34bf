"""Other libraries read the written files as they were said; no text becomes markup."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octavia.subtitles import FORMATS, MEDIA_TYPES, SUBTITLE_FORMATS, bilingual, encode, subtitles, write
from octavia.subtitles.formats import txt
from octavia.text.transcripts import Transcript
from tests.support.subtitle_rules import check_demuxed, check_hard, plain, read
from tests.unit.subtitles.samples import MARKUP, heard, said

WORDS = [("One,", 0.0, 0.4), ("two", 0.5, 0.5), ("<three>", 0.5, 1.2), ("and", 3.0, 3.2), ("five.", 3.2, 4.0)]


@pytest.mark.parametrize("format", SUBTITLE_FORMATS)
@settings(max_examples=20)
@given(text=st.lists(st.sampled_from([*MARKUP, "word", "字。"]), min_size=1, max_size=4).map(" ".join))
def test_any_text_is_read_as_it_was_said(format: str, text: str) -> None:
    # Given a text with what players take for markup, between two plain ones
    spoken = (said("before.", 0, 1), said(text, 4, 9), said("after.", 14, 15))
    # When it is written, and read by another library with its markup rules on
    cues = read(format, write(format, Transcript(spoken, False, "en", 15.0)))
    # Then the cues are whole, and the text is what it was
    check_hard(cues, [one.text for one in spoken])
    assert (cues[0].lines, cues[-1].lines) == (("before.",), ("after.",))


@pytest.mark.parametrize("format", SUBTITLE_FORMATS)
@pytest.mark.parametrize(
    "text", ["<00:00:01.000> <00:00:02.000>", "1:2:3,4 to 1:2:3,5", "Room number\n17", "3 < 8 &lt; 9"]
)
def test_times_and_numbers_in_a_text_stay_text(format: str, text: str) -> None:
    spoken = (said("before.", 0, 1), said(text, 4, 9), said("after.", 14, 15))
    check_hard(read(format, write(format, Transcript(spoken, False, "en", 15.0))), [one.text for one in spoken])


@pytest.mark.parametrize("format", ["srt", "vtt", "ass"])
def test_ffmpeg_reads_it_without_a_warning(format: str, tmp_path: Path) -> None:
    spoken = [said(text, number * 5, number * 5 + 3) for number, text in enumerate(MARKUP)]
    check_demuxed(format, write(format, Transcript((*spoken, heard(WORDS)), False, "en", 99.0), words=True), tmp_path)


@pytest.mark.parametrize("text", MARKUP)
def test_vtt_has_no_tag_of_a_strangers(text: str) -> None:
    body = re.sub(r"(?m)^[\d:.]+ --> [\d:.]+$", "", write("vtt", Transcript((said(text),))))
    assert not re.search("[<>]", body)


def test_times_are_written_in_full() -> None:
    late = subtitles([said("x.", 3661.004, 3663.0)])
    assert "01:01:01,000 --> 01:01:03,000" in encode("srt", late)
    assert encode("vtt", late).startswith("WEBVTT\n\n01:01:01.000 --> 01:01:03.000\nx.\n")
    assert "1:01:01.00,1:01:03.00" in encode("ass", late)
    assert 'begin="01:01:01.000" end="01:01:03.000"' in encode("ttml", late)


def test_vtt_says_when_each_word_is_said() -> None:
    # Given words of which two begin at once
    shown = subtitles([heard(WORDS)], language="en", max_line_length=20)
    # Then times grow, the first word has that of its cue, and what is said at once has one
    assert encode("vtt", shown, words=True) == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:01.200\n"
        "<c>One,</c> <00:00:00.500><c>two</c> <c>&lt;three&gt;</c>\n\n"
        "00:00:03.000 --> 00:00:04.000\n"
        "<c>and</c> <00:00:03.200><c>five.</c>\n\n"
    )
    # And a text whose words were not heard has none
    assert "<" not in encode("vtt", subtitles([said("One two.")]), words=True)


def test_ttml_says_which_language_each_line_is_in() -> None:
    both = [heard(WORDS[:3], translation="Uno, dos & <tres>")]
    root = ET.fromstring(encode("ttml", bilingual(both, source_language="en", language="es")))
    language = "{http://www.w3.org/XML/1998/namespace}lang"
    (span,) = root.iter("{http://www.w3.org/ns/ttml}span")
    (line,) = root.iter("{http://www.w3.org/ns/ttml}br")
    assert (root.get(language), span.get(language)) == ("es", "en")
    assert (span.text, line.tail) == ("One, two <three>", "Uno, dos & <tres>")


@pytest.mark.parametrize("format", SUBTITLE_FORMATS)
def test_bilingual_files_are_read_again(format: str) -> None:
    both = [heard(WORDS[:3], translation="Uno, dos, tres"), heard(WORDS[3:], translation=None)]
    cues = read(format, encode(format, bilingual(both, source_language="en", language="es")))
    assert [tuple(map(plain, cue.lines)) for cue in cues] == [("One,two<three>", "Uno,dos,tres"), ("andfive.",)]


def test_json_tells_how_well_the_rules_are_kept() -> None:
    # Given speech that is too fast to read, and without a clause to break it at
    fast = heard(("word", number / 10, number / 10 + 0.1) for number in range(40))
    report = json.loads(write("json", Transcript((fast, said("Yes.", 4.05, 4.1)), False, "en", 6.0)))["subtitles"]
    assert report["cues"] == write("srt", Transcript((fast, said("Yes.", 4.05, 4.1)), False, "en", 6.0)).count("-->")
    assert report["too_fast"] > 0 < report["clause_split"]
    # And a text without times has no subtitles to tell of
    assert json.loads(write("json", Transcript((said("Yes.", 0, 0),))))["subtitles"] is None


def test_txt_keeps_the_layout_of_a_text_and_gives_speech_a_line_each() -> None:
    laid_out = [
        said("Title", breaks=0),
        said("One.", breaks=2),
        said("Two.", breaks=0),
        said("- item", breaks=1),
    ]
    assert txt(laid_out) == "Title\n\nOne. Two.\n- item\n"
    assert txt([said("A."), said("B.")]) == "A.\nB.\n"
    assert txt([said("一。", breaks=0), said("二。", breaks=0)]) == "一。二。\n"


@pytest.mark.parametrize("format", [*FORMATS, "ass", "ttml"])
def test_nothing_said_is_a_valid_file(format: str) -> None:
    written = write(format, Transcript(()))
    if format == "json":
        assert json.loads(written)["utterances"] == []
    elif format in ("ass", "ttml"):
        assert read(format, written) == []
    else:
        assert written == {"txt": "", "srt": "", "vtt": "WEBVTT\n\n"}[format]
    assert "/" in MEDIA_TYPES[format]


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown format"):
        write("exe", Transcript(()))
