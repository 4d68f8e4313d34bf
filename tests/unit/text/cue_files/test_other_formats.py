"""SubStation Alpha, TTML, SubViewer and SBV, LRC and MicroDVD."""

import pytest

from octavia.errors import InputError
from octavia.text.cue_files import CueFormat, GivenCue, recognised
from tests.support.given_cues import codes, fixture, given, timed

ASS = """[Script Info]
; Dialogue: 0,0:00:09.00,0:00:10.00,,,0,0,0,,in no section of events
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Comment: 0,0:00:01.00,0:00:03.00,Default,Mara,0,0,0,,Nobody says this.
Dialogue: 0,0:00:01.00,0:00:03.00,Default,Mara,0,0,0,,{\\k20}One, {\\b1}two{\\b0}\\hthree
Dialogue: 1,0:00:01.00,0:00:03.00,Default,Mara,0,0,0,,{\\k20}One, {\\b1}two{\\b0}\\hthree
Dialogue: 0,0:00:04.00,0:00:05.00,Default,,0,0,0,,{\\p1}m 0 0 l 100 0 100 100{\\p0}- Yes.\\N- No.
"""
TTML = """<?xml version="1.0" encoding="UTF-16"?>
<tt:tt xmlns:tt="http://www.w3.org/ns/ttml" xmlns:ttm="http://www.w3.org/ns/ttml#metadata"
  xmlns:ttp="http://www.w3.org/ns/ttml#parameter" xmlns:tts="http://www.w3.org/ns/ttml#styling" ttp:frameRate="25"
  ttp:tickRate="1000">
 <tt:head><ttm:title>No text</ttm:title><ttm:agent xml:id="a"><ttm:name>Mara</ttm:name></ttm:agent></tt:head>
 <tt:body begin="10s"><tt:div begin="0.5s">
  <tt:p begin="00:00:01.000" end="00:00:02.500" ttm:agent="a"><tt:metadata>Nor this</tt:metadata>
   One &amp; <tt:span tts:fontStyle="italic">two</tt:span></tt:p>
  <tt:p begin="2500t" dur="25f">- Yes.<tt:br/>- No.</tt:p>
  <tt:p><tt:span begin="4s" end="5s">by </tt:span><tt:span begin="5s" end="00:00:06:05">parts</tt:span></tt:p>
  <tt:p begin="7s" end="8s"><tt:span tts:ruby="base">字</tt:span><tt:span tts:ruby="text">ji</tt:span></tt:p>
 </tt:div></tt:body>
</tt:tt>
"""
SBV = "0:00:01.000,0:00:02.500\nOne\nand two\n\n0:00:03.000,0:00:04.000\n- Yes.[br]- No.\n"
SUBVIEWER = "[INFORMATION]\n[TITLE]x\n[END INFORMATION]\n[SUBTITLE]\n00:00:01.00,00:00:02.50\nOne\n"
LRC = "[ar:Somebody]\n[length: 00:12]\n\n[00:01.50][00:07:00]One <00:02.00>two\n[00:03.00]\n[00:04]Three\n"
MICRODVD = "{1}{1}25\n{DEFAULT}{C:$ff}\n{25}{50}{y:i}One|two\n{75}{}/Three|- Yes.\n{100}{}Four\n"


def test_substation_alpha_is_read() -> None:
    assert [(cue.start, cue.end, cue.text, cue.speaker) for cue in fixture("talk.ass").cues] == [
        (1, 3, "The boat is ready.", "Mara"),
        (3.5, 5, "Then we leave at noon.", "Ivo"),
    ]


def test_events_are_told_from_comments_drawings_and_other_layers() -> None:
    assert codes(given(ASS)) == ["styles_dropped"]
    assert given(ASS).cues == (GivenCue(1, 3, "One, two three", "Mara"), GivenCue(4, 5, "- Yes.\n- No."))


def test_paragraphs_of_ttml_are_read_with_all_its_times() -> None:
    found = given(TTML)
    assert found.cues == (
        GivenCue(11.5, 13.0, "One & two", "Mara"),
        GivenCue(13.0, 14.0, "- Yes.\n- No."),
        GivenCue(14.5, 16.7, "by parts"),
        GivenCue(17.5, 18.5, "字"),
    )
    assert codes(found) == ["styles_dropped"]


def test_sbv_and_subviewer_are_read() -> None:
    assert timed(given(SBV)) == [(1, 2.5, "One and two"), (3, 4, "- Yes.\n- No.")]
    found = given(SUBVIEWER)
    assert (timed(found), codes(found)) == ([(1, 2.5, "One")], ["lines_left_out"])


def test_lines_of_lyrics_last_until_the_next_one() -> None:
    assert timed(given(LRC, name="song.lrc")) == [(1.5, 3, "One two"), (4, 7, "Three"), (7, 12, "One two")]
    assert timed(given("[00:01.50]One\n[00:03.50]Two\n")) == [(1.5, 3.5, "One"), (3.5, 8.5, "Two")]
    assert timed(given("[offset:+500]\n[00:01.50]One\n", "lrc")) == [(1, 6, "One")]


def test_pictures_are_counted_at_the_rate_that_is_named() -> None:
    assert timed(given(MICRODVD)) == [(1, 2, "One two"), (3, 4, "Three\n- Yes."), (4, 9, "Four")]
    with pytest.raises(InputError, match="MicroDVD: it counts pictures") as refused:
        given(MICRODVD.partition("\n")[2], "sub")
    assert "{1}{1}25" in refused.value.hint


@pytest.mark.parametrize(
    ("data", "format", "said"),
    [
        (ASS.replace("0:00:04.00", "0:00:0x.00"), "ass", "line 8 is not"),
        (ASS.replace("Start, End", "Begin, End"), "ass", "line 4 is not"),
        (ASS.replace("0:00:04.00", "0:00:09.00"), "ass", "line 8 ends before"),
        (TTML.replace("2500t", "soon"), "ttml", "line 9 has the time 'soon'"),
        (TTML.replace("dur=", "tts:dur="), "ttml", "the paragraph at line 9 has no end"),
        (TTML.replace("</tt:p>\n </tt:div>", "\n </tt:div>"), "ttml", "line 12 is no XML"),
        ("\n\n" + TTML.replace("2500t", "soon"), "ttml", "line 11 has"),
        ("<tt>" + "<p>" * 200, "ttml", "line 1 is nested"),
        ('<tt timeContainer="seq"><body/></tt>', "ttml", "line 1 is a sequence"),
        ("<transcript><text start='0'>x</text></transcript>", "ttml", "its root is <transcript>"),
        ('<?xml version="1.0"?>\n<!DOCTYPE tt [<!ENTITY a "b">]>\n<tt>&a;</tt>', "ttml", "line 2 has a document type"),
        (SBV.replace("0:00:03.000", "0:00:03"), "sbv", "line 5 is not"),
        (SBV.replace("0:00:03.000", "0:00:63.000"), "sbv", "line 5 is not"),
        ("[00:01.00]One\n[00:61.00]Two\n", "lrc", "line 2 is not"),
        (MICRODVD.replace("{75}{}", "Three"), "sub", "line 4 is not"),
        ("Once upon a time.", "lrc", "no words with times"),
    ],
)
def test_what_is_not_understood_is_named(data: str, format: CueFormat, said: str) -> None:
    for end in ("\n", "\r\n", "\r"):
        with pytest.raises(InputError, match=said) as refused:
            given(data.replace("\n", end), format)
        assert (refused.value.code, bool(refused.value.hint)) == ("bad_subtitles", True)


@pytest.mark.parametrize(
    ("data", "format"),
    [(ASS, "ass"), (TTML, "ttml"), (SBV, "sbv"), (SUBVIEWER, "sbv"), (MICRODVD, "sub"), ("[00:01.50]One\n", "lrc")],
)
def test_they_are_known_by_their_contents(data: str, format: str) -> None:
    assert recognised(data.encode()) == format
    assert recognised(data.encode("utf-16-le"), "notes.txt") == format
