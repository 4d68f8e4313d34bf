"""WebVTT: what the W3C's recommendation says of its parser, one case of each rule.

The cases follow the groups of web-platform-tests (webvtt/parsing/file-parsing). Where browsers drop a cue whose times
are broken, Octavia refuses the file and names the line; nothing else differs.
"""

import pytest

from octavia.errors import InputError
from octavia.text.cue_files import recognised
from tests.support.given_cues import codes, fixture, given, timed

TIME = "00:00:00.000 --> 00:00:01.000"


def texts(vtt: str) -> list[str]:
    return [cue.text for cue in given(vtt, "vtt").cues]


def test_identifiers_notes_and_styles_are_no_text() -> None:
    found = fixture("identifiers.vtt")
    assert [(cue.text, cue.speaker) for cue in found.cues] == [
        ("The library opens at ten.", "Host"),
        ("And how many people came? 312", "Guest"),
        ("More than last year.", "Host"),
    ]


@pytest.mark.parametrize(
    "signature",
    ["WEBVTT", "\ufeffWEBVTT", "WEBVTT ", "WEBVTT\t", "WEBVTT a talk", "WEBVTT\nKind: captions", "\nWEBVTT"],
)
def test_the_signature_may_be_followed_by_a_header(signature: str) -> None:
    vtt = f"{signature}\n\n{TIME}\ntext\n"
    assert recognised(vtt.encode()) == "vtt"
    assert texts(vtt) == ["text"]


@pytest.mark.parametrize("signature", ["WEBVTTX", "webvtt", "WEB VTT", "WEBVT", ""])
def test_without_it_nothing_is_webvtt(signature: str) -> None:
    with pytest.raises(InputError, match=r"line . is not the signature"):
        given(f"{signature}\n{TIME}\ntext\n", "vtt")
    # And a file that is named so is not read as anything else
    assert recognised(f"{signature}\n\n{TIME}\ntext\n".encode(), "talk.vtt") == "vtt"


@pytest.mark.parametrize(
    ("vtt", "said"),
    [
        (f"WEBVTT\n{TIME}\nno blank line above", ["no blank line above"]),
        (f"WEBVTT header\ngarbage\nmore\n\n{TIME}\ntext", ["text"]),
        (f"WEBVTT\n\n{TIME}\none\n{TIME}\ntwo", ["one", "two"]),
        (f"WEBVTT\n\nid\n{TIME}\none\nid is text here\n\n-- >\n{TIME}\ntwo", ["one id is text here", "two"]),
        (f"WEBVTT\n\n \n{TIME}\nan identifier of one space", ["an identifier of one space"]),
        (f"WEBVTT\n\n{TIME}\none\n\nNOTE\nno text\n\nNOTE no --> text\nnor this\n\nNOTE\tnor this", ["one"]),
        (f"WEBVTT\n\nNOTE\n{TIME}\na cue called NOTE", ["a cue called NOTE"]),
        (f"WEBVTT\n\nNOTE\nhidden\n{TIME}\nno comment has times", ["no comment has times"]),
        (f"WEBVTT\n\nNOTES\n{TIME}\nan identifier", ["an identifier"]),
        (f"WEBVTT\n\nSTYLE\n::cue(#a) {{\n}}\n\nREGION\nid:x\n\n{TIME}\none\n\nSTYLE\n::cue {{}}\n", ["one"]),
        (f"WEBVTT\n\n{TIME}\n\n{TIME}\none", ["", "one"]),
        (f"WEBVTT\n\n\n\n{TIME}\none\n \nstill one\n\n\n", ["one still one"]),
        (f"WEBVTT\n\n\t {TIME.replace(' ', chr(9))} \none", ["one"]),
        (f"WEBVTT\n\n{TIME.replace(' ', chr(12))}\none", ["one"]),
        (f"WEBVTT\n\n{TIME.replace(' ', '')}\none", ["one"]),
        ("WEBVTT\n\n0:00:00.000 --> 000:00:01.000\nhours of any length", ["hours of any length"]),
        ("WEBVTT\n\n00:00.000 --> 00:01.000\nno hours", ["no hours"]),
        (f"WEBVTT\n\n{TIME} nonsense:yes line:-1 align:start\none", ["one"]),
        (f"WEBVTT\n\n{TIME}\none", ["one"]),
    ],
)
def test_blocks_are_told_apart_as_the_recommendation_says(vtt: str, said: list[str]) -> None:
    for end in ("\n", "\r\n", "\r"):
        assert texts(vtt.replace("\n", end)) == said


@pytest.mark.parametrize(
    "times",
    [
        "00:00:00,000 --> 00:00:01,000",
        "00:60:00.000 --> 01:00:01.000",
        "00:00:60.000 --> 00:01:01.000",
        "00:00:00.00 --> 00:00:01.000",
        "00:00:00.0000 --> 00:00:01.000",
        "00:00:00 --> 00:00:01",
        "0:00.000 --> 00:01.000",
        "00:00 --> 00:01.000",
        "00:0:00.000 --> 00:00:01.000",
        "-00:00:00.500 --> 00:00:01.000",
        "00:00:00.000 -a --> 00:00:01.000",
        "00:00:00.000 --> ",
        "--> 00:00:01.000",
        "\v00:00:00.000 --> 00:00:01.000",
        "foo-->",
        "a --> b",
    ],
)
def test_a_cue_that_browsers_drop_is_refused_with_its_line(times: str) -> None:
    with pytest.raises(InputError, match="WebVTT: line 6 ") as refused:
        given(f"WEBVTT\n\n{TIME}\none\n\n{times}\ntwo\n", "vtt")
    assert "--&gt;" in refused.value.hint


def test_text_behind_a_blank_line_is_no_cue_and_a_warning_says_so() -> None:
    found = given(f"WEBVTT\n\n{TIME}\none\n\nlost\n\n{TIME}\ntwo\n", "vtt")
    assert [cue.text for cue in found.cues] == ["one", "two"]
    assert [(one["code"], "Line 6 " in one["message"]) for one in found.warnings] == [("lines_left_out", True)]


@pytest.mark.parametrize(
    ("text", "said", "speaker"),
    [
        ("<v Ann &amp; Eve>Yes.</v> <v Bob>No.", "Yes. No.", "Ann & Eve"),
        ("<v.loud Ann>Yes", "Yes", "Ann"),
        ("a <i.x>b</i> <c.red>c</c> <00:00:00.500>d <lang en>e</lang>", "a b c d e", None),
        ("3 < 8 &lt;i> I <3 you &amp;amp; &nbsp;x &notit;", "3 < 8 <i> I <3 you &amp; x ¬it;", None),
        ("<ruby>漢<rt>kan</rt>字<rt>ji</rt></ruby>", "漢字", None),
        ("a <b unclosed", "a <b unclosed", None),
        ("<i\nb>across\nlines</i>", "across lines", None),
    ],
)
def test_tags_and_entities_are_read_by_the_grammar(text: str, said: str, speaker: str | None) -> None:
    (cue,) = given(f"WEBVTT\n\n{TIME}\n{text}\n", "vtt").cues
    assert (cue.text, cue.speaker) == (said, speaker)


def test_positions_are_not_kept_and_a_warning_says_so() -> None:
    assert codes(given(f"WEBVTT\n\n{TIME} align:start\none\n")) == ["styles_dropped"]
    assert codes(given(f"WEBVTT\n\n{TIME}\n<v Ann>one <c>two</c>\n")) == []


def test_line_ends_may_be_doubled() -> None:
    vtt = f"WEBVTT\n\nid\n{TIME}\none\n\nNOTE\nx\n\n{TIME}\ntwo\n".replace("\n", "\n\n")
    assert timed(given(vtt)) == [(0, 1, "one"), (0, 1, "two")]
