"""SubRip as people and programs write it."""

import pytest

from octavia.errors import InputError
from octavia.text.cue_files import GivenCue, recognised
from tests.support.given_cues import codes, fixture, given, timed

TWO = "1\n00:00:01,000 --> 00:00:02,500\nOne.\n\n2\n00:00:03,000 --> 00:00:04,000\nTwo.\n"
SPOKEN = [(1.0, 2.5, "One."), (3.0, 4.0, "Two.")]


def test_only_digits_directly_above_times_are_a_number() -> None:
    # Given texts that end in a line of digits, or are one
    # Then it is said
    assert [cue.text for cue in fixture("number-last.srt").cues] == [
        "Room number 17",
        "4",
        "The bridge was finished in 1968",
    ]


def test_numbers_of_cues_may_be_missing() -> None:
    assert timed(fixture("no-index.srt")) == [
        (1, 2, "The door is open."),
        (2.5, 4, "How many keys are there? 12"),
        (5, 6, "Take the blue one."),
    ]


def test_times_may_be_short() -> None:
    assert timed(fixture("short-times.srt")) == [(3.2, 5.7, "Short times."), (6.0, 7.25, "Still the same file.")]


def test_text_above_the_first_times_is_left_out_with_a_warning() -> None:
    found = fixture("credit-first.srt")
    assert [cue.text for cue in found.cues] == ["The lights go down.", "The film begins."]
    assert [(one["code"], "Line 1 " in one["message"]) for one in found.warnings] == [("lines_left_out", True)]


def test_a_cue_that_begins_before_the_start_is_cut_there() -> None:
    found = fixture("negative-first.srt")
    assert timed(found) == [(0, 1.2, "Before the cut."), (2, 3, "After the cut.")]
    assert [(one["code"], "line 2 " in one["message"]) for one in found.warnings] == [("times_changed", True)]


def test_symbols_are_read_as_they_are_and_entities_decoded() -> None:
    found = [cue.text for cue in fixture("symbols.srt").cues]
    assert found == [
        "If 3 < 8, press Start → Settings.",
        "Thank you 🙏 see you in 2031.",
        "Tom & Ann say 谢谢 at 21 °C.",
    ]
    text = given("00:00:01,000 --> 00:00:02,000\nR&D &lt;3 &#233; ?a=1&copy=2 if a < b > c <3 <y>\n")
    assert text.cues[0].text == "R&D <3 é ?a=1&copy=2 if a < b > c <3 <y>"


@pytest.mark.parametrize(
    "times",
    [
        "00:00:01.000 --> 00:00:02.500",
        "00:00:01 --> 00:00:02,5",
        "00:01,000 --> 00:02,500",
        " 00 : 00 : 01 , 000 --> 00 : 00 : 02 , 500 ",
        "00:00:01,000-->00:00:02,500",
        "00:00:01,000 -> 00:00:02,500",
        "00:00:01,000 → 00:00:02,500",
        "00:00:01,000 –> 00:00:02,500",
        "00:00:01,000 --&gt; 00:00:02,500",
        "00:00:01:000 --> 00:00:02:500",
        "00：00：01，000 --> 00：00：02，500",
        "\u200e00:00:01,000 --> 00:00:02,500\u200f",
        "00:00:01,000 --> 00:00:02,500 X1:1 X2:2 Y1:3 Y2:4",
        "00:00:01,000 --> 00:00:02,500 align:start position:0%",
        "0:0:1 --> 0:0:2,500000",
    ],
)
def test_times_are_read_however_they_are_written(times: str) -> None:
    # Given a file with such times, named or not
    srt = TWO.replace("00:00:01,000 --> 00:00:02,500", times)
    # Then it is recognised by its contents and read
    assert recognised(srt.encode()) == recognised(srt.encode(), "talk.srt") == "srt"
    assert timed(given(srt)) == SPOKEN


@pytest.mark.parametrize(
    "times",
    [
        "00:61:03,000 --> 00:62:03,000",
        "00:00:61,000 --> 00:00:62,000",
        "00:00:01,000 --> ",
        "--> 00:00:02,000",
        "00:00:01:12 --> 00:00:02:12",
        "O0:00:0l,000 --> 00:00:02,000",
        "1 --> 2",
        "00:00:01,000 --> 00:00:02,000 Hello.",
        "00:00:01,000 --> 00:00:02,000 12",
    ],
)
def test_times_that_are_not_understood_are_named(times: str) -> None:
    # Given one line of times that makes no sense
    srt = TWO.replace("00:00:03,000 --> 00:00:04,000", times)
    # Then the file is no prose, and the error names that line and the format
    assert recognised(srt.encode()) == "srt"
    with pytest.raises(InputError, match=r"SubRip: line 6 ") as refused:
        given(srt)
    assert (refused.value.code, "-->" in refused.value.hint) == ("bad_subtitles", True)


@pytest.mark.parametrize(
    ("end", "line"),
    [("\n", 6), ("\r\n", 6), ("\r", 6), ("\r\r\n", 6), ("\n\n", 11), ("\r\n\r\n", 11), ("\r\r", 11)],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_any_line_ends_are_read_and_counted(end: str, line: int, mark: str) -> None:
    # Given ends of lines of other systems, or doubled ones
    assert timed(given((mark + TWO).replace("\n", end), "srt")) == SPOKEN
    # Then errors name the line that an editor shows
    wrong = (mark + TWO).replace("00:00:03,000", "00:00:0x,000").replace("\n", end)
    with pytest.raises(InputError, match=rf"line {line} "):
        given(wrong, "srt")


def test_lines_are_counted_by_their_ends_alone() -> None:
    # Given characters that Python takes for ends of lines, and editors do not
    wrong = TWO.replace("One.", "One\x0b\x0c\x1c\x85\u2028.").replace("00:00:03,000", "00:00:0x,000")
    with pytest.raises(InputError, match="line 6 "):
        given(wrong)


def test_lines_of_a_dialogue_stay_and_others_are_joined() -> None:
    found = fixture("dialogue.srt")
    assert [cue.text for cue in found.cues] == [
        "- Is the train late?\n- No, it is on time.",
        "Platform four, please.",
    ]
    # And the style that is not kept is told
    assert [(one["code"], "line 7" in one["message"]) for one in found.warnings] == [("styles_dropped", True)]


def test_markup_of_players_is_no_text() -> None:
    said = r"{\an8}<font color='red'>Up</font><br/>{y:i}and\Nover <b><i>there</i></b> {you} <c>now</c> \o/ C:\new"
    found = given(f"1\n00:00:01,000 --> 00:00:02,000\n{said}\n")
    assert found.cues == (GivenCue(1, 2, r"Up and over there {you} now \o/ C:\new"),)
    assert codes(found) == ["styles_dropped"]
