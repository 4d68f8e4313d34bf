"""Subtitles that people bring along."""

import codecs
import gc
import json
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octavia import subtitles
from octavia.errors import InputError
from octavia.subtitles import SUBTITLE_FORMATS
from octavia.text.cue_files import HEAD, CueFormat, GivenCue, check_size, chunks, read, recognised, to_rows, utterances
from octavia.text.lines import clean
from octavia.text.transcripts import Transcript
from tests.unit.subtitles.samples import MARKUP

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Hello</i> <font color="red">there</font>,
{\\an8}{you} & all --> of us

2
00:00:03.000 --> 00:00:04.000 X1:1
<b></b>

3
00:01:03,500 --> 00:01:05,000
- Good-bye.
"""
VTT = """WEBVTT - a talk

STYLE
::cue { color: red }

NOTE nothing of this
is said

intro
00:01.000 --> 00:02.500 align:start position:0%
<v Ann>Hello <c.yellow>there</c>, {you} &amp; all <00:00:01.500>of us

00:01:03.500 --> 00:01:05.000
- Good-bye.
"""


def cues(data: str | bytes, format: CueFormat, *, seconds: float = 3600, chars: int = 1000) -> list[GivenCue]:
    data = data if isinstance(data, bytes) else data.encode()
    return list(read(data, format, longest_seconds=seconds, most_chars=chars).cues)


def test_who_speaks_is_kept() -> None:
    # Given cues that say who speaks, with a class, with an entity, in the middle, and not at all
    tags = ["<v.loud  Ann &amp; Eve>Yes.</v>", "<b>Well, </b><v Bob>no.", "<v>Nobody.", f"<v {'x' * 300}>Long."]
    vtt = "WEBVTT\n" + "".join(f"\n00:0{n}.000 --> 00:0{n + 1}.000\n{tag}\n" for n, tag in enumerate(tags))
    # When they are read
    found = cues(vtt, "vtt")
    # Then their speakers are not in the text, and go on with the utterances
    assert [cue.text for cue in found] == ["Yes.", "Well, no.", "Nobody.", "Long."]
    speakers = ["Ann & Eve", "Bob", None, "x" * 100]
    assert [cue.speaker for cue in found] == speakers
    assert [one.speaker for one in utterances(to_rows(found), chunk=0)] == speakers
    # When a transcript names them, then it is the same
    (given,) = cues('{"utterances": [{"start": 0, "end": 1, "text": "Yes.", "speaker": "Ann"}]}', "json")
    assert given.speaker == "Ann"


def test_a_translation_is_read_as_what_it_is_about() -> None:
    row: dict[str, object] = {"start": 0, "end": 1, "text": "Yes.", "translation": "Sí."}
    assert cues(json.dumps({"text": "Sí.", "utterances": [row]}), "json")[0].text == "Sí."
    assert cues(json.dumps({"text": "Yes.", "utterances": [row]}), "json")[0].text == "Yes."
    # Also where some of it is shown as it is
    music = {"start": 1, "end": 2, "text": "[music]", "translation": None}
    found = cues(json.dumps({"text": "Sí. [music]", "utterances": [row, music]}), "json")
    assert [cue.text for cue in found] == ["Sí.", "[music]"]


@pytest.mark.parametrize(
    "changed", [{"start": int("9" * 400)}, {"text": {"a": 1}}, {"speaker": 1}, {"end": "x"}, {"start": None}]
)
def test_json_that_makes_no_sense_is_refused(changed: dict[str, object]) -> None:
    row = {"start": 0, "end": 1, "text": "Yes."} | changed
    with pytest.raises(InputError) as refused:
        cues(json.dumps({"utterances": [row]}), "json")
    assert refused.value.code == "bad_subtitles"


def test_what_no_text_may_have_is_left_out() -> None:
    row = {"start": 0, "end": 1, "text": "a\ud800\0b", "speaker": "A\ud800nn"}
    assert cues(json.dumps({"utterances": [row]}), "json") == [GivenCue(0, 1, "ab", "Ann")]


def test_cues_without_words_count_as_well() -> None:
    srt = "".join(f"{n}\n00:00:01,000 --> 00:00:02,000\n{'a' if n == 1 else ''}\n\n" for n in range(1, 200))
    with pytest.raises(InputError) as refused:
        cues(srt, "srt", chars=1000)
    assert refused.value.code == "text_too_long"


def test_what_nobody_says_is_marked() -> None:
    rows = to_rows([GivenCue(0, 1, "[Door slams]"), GivenCue(1, 2, "Who is it?"), GivenCue(2, 3, "")])
    assert [one.speech for one in utterances(rows, chunk=0)] == [False, True, True]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_cues_are_read_without_their_markup(newline: str) -> None:
    assert cues(SRT.replace("\n", newline), "srt") == [
        GivenCue(1.0, 2.5, "Hello there, {you} & all --> of us"),
        GivenCue(3.0, 4.0, ""),
        GivenCue(63.5, 65.0, "- Good-bye."),
    ]
    assert cues(VTT.replace("\n", newline), "vtt") == [
        GivenCue(1.0, 2.5, "Hello there, {you} & all of us", "Ann"),
        GivenCue(63.5, 65.0, "- Good-bye."),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_unicode_file_is_read(encoding: str) -> None:
    data = SRT.replace("Good-bye", "¡Adiós").encode(encoding)
    assert recognised(data[:HEAD]) == recognised(data[:51]) == "srt"
    assert cues(data, "srt")[-1].text == "- ¡Adiós."


@pytest.mark.parametrize(
    ("data", "format"),
    [
        (SRT.encode(), "srt"),
        (b"\r\n12\r\n0:00:01,5 --> 0:00:02,5\r\nHi.", "srt"),
        (VTT.encode(), "vtt"),
        (codecs.BOM_UTF8 + b"WEBVTT", "vtt"),
        (Transcript((), language="en").to_json().encode(), "json"),
        (b"WEBVTTX", None),
        (b"1\nOne thing is certain --> nothing.", None),
        (b'{"name": "x"}', None),
        (b"RIFF\x00\x00\x00\x00WAVE", None),
        (b"Good morning.", None),
        (b"", None),
    ],
)
def test_a_file_is_known_by_its_beginning(data: bytes, format: str | None) -> None:
    assert recognised(data) == format


@pytest.mark.parametrize(
    ("data", "format", "code", "said"),
    [
        ("", "srt", "bad_subtitles", "no words"),
        ("1\n00:00:01,000 --> 00:00:02,000\n<i></i>\n", "srt", "bad_subtitles", "no words"),
        (SRT.replace("00:01:03,500 -->", "00:61:3x -->"), "srt", "bad_subtitles", "line 11"),
        (VTT.replace("01:03.500 -->", "1 -->"), "vtt", "bad_subtitles", "line 13"),
        (SRT.replace("00:01:05", "00:01:01"), "srt", "bad_subtitles", "cue at line 11 ends"),
        (SRT.replace("Good", "G\xf6\xf6d").encode("latin-1"), "srt", "bad_subtitles", "UTF-8"),
        (
            SRT.replace("00:00:01,000", "-00:00:03,000").replace("00:00:02,500", "-00:00:01,000"),
            "srt",
            "bad_subtitles",
            "line 2 lies",
        ),
        (SRT.replace("00:00:02,500", "00:00:02,500 Hello."), "srt", "bad_subtitles", "line 2 "),
        (SRT.replace("Good", "\0"), "srt", "bad_subtitles", "line 12 contains a NUL"),
        (SRT.replace("00:01:05", "99:01:05"), "srt", "media_too_long", "3,600"),
        (SRT.replace("Good", "G" * 1000), "srt", "text_too_long", "1,000"),
        (SRT.replace("Good", "<a" * 2000), "srt", "bad_subtitles", "line 11"),
        ("<a" * 500_000, "vtt", "bad_subtitles", "line 1 "),
        ("{}", "json", "bad_subtitles", "utterances"),
        ("[]", "json", "bad_subtitles", "utterances"),
        ("[" * 10_000, "json", "bad_subtitles", "nested too deeply"),
        ("[" * 100_000, "json", "text_too_long", "1,000"),
        (
            '{"utterances": [{"start": "soon", "end": 1, "text": "Hi."}]}',
            "json",
            "bad_subtitles",
            "utterance 1 has no num",
        ),
        ('{"utterances": [{"start": NaN, "end": 1, "text": "Hi."}]}', "json", "bad_subtitles", "NaN is no number"),
        ('{"utterances": [{"start": 0, "end": Infinity, "text": "Hi."}]}', "json", "bad_subtitles", "Infinity is no"),
        (
            '{"utterances": [{"start": 0, "end": 1e999, "text": "Hi."}]}',
            "json",
            "bad_subtitles",
            "utterance 1 has no num",
        ),
        (
            '{"utterances": [{"start": 0, "end": 1, "text": "Hi."}, "Hi."]}',
            "json",
            "bad_subtitles",
            "utterance 2 is no obj",
        ),
        (f'{{"utterances": [{{"start": {"1" * 5000}}}]}}', "json", "bad_subtitles", "too many digits"),
        ('{"utterances": [], "utterances": []}', "json", "bad_subtitles", "twice"),
        ('{"text": 1, "utterances": []}', "json", "bad_subtitles", "its text is no string"),
        ('{"utterances": [{"start": 2, "end": 1, "text": "Hi."}]}', "json", "bad_subtitles", "utterance 1 ends"),
        ('{"utterances": [{"start": 0, "end": 9999, "text": "Hi."}]}', "json", "media_too_long", "3,600"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(data: str | bytes, format: CueFormat, code: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        cues(data, format)
    assert (refused.value.code, bool(refused.value.hint)) == (code, True)


LINES = st.text(max_size=60) | st.lists(st.sampled_from([*MARKUP, "\u2060", "❴", "1", "- No", "&", "<"])).map(" ".join)
GIVEN = st.lists(st.tuples(st.integers(0, 300_000), st.integers(0, 900), LINES), min_size=1, max_size=8)


@pytest.mark.parametrize("format", [*SUBTITLE_FORMATS, "json"])
@settings(max_examples=40)
@given(given_cues=GIVEN)
def test_what_is_written_as_it_was_given_is_the_same_again(
    format: CueFormat, given_cues: list[tuple[int, int, str]]
) -> None:
    # Given cues of any text, of which one has words, and a pause after each
    made, start = [GivenCue(0.0, 1.0, "Words.")], 2.0
    for pause, length, text in given_cues:
        start = round(start + pause / 100, 2)
        made.append(GivenCue(start, round(start + length / 100, 2), " ".join(clean(text).split())))
        start = made[-1].end + 1
    # When they are written as subtitles that keep their cues, and read again
    groups = enumerate(chunks(made, most_chars=100))
    said = [one for number, group in groups for one in utterances(to_rows(group), chunk=number)]
    written = subtitles.write(format, Transcript(tuple(said), language="en", duration=9.0, given_cues=True))
    # Then they are recognised, and there are as many, with the same times and the same words
    assert len({one.id for one in said}) == len(made)
    assert recognised(written.encode()[:HEAD]) == format
    again = cues(written, format, seconds=1e9, chars=10**9)
    assert [(one.start, one.end) for one in again] == [(one.start, one.end) for one in made]
    assert list(map(letters, again)) == list(map(letters, made))


def letters(cue: GivenCue) -> str:
    """A cue's text without spaces, of which a zero-width one is a place to break lines at."""
    return "".join(cue.text.replace("\u200b", "").split())


@pytest.mark.parametrize(
    "ill", ["<", "<a ", "{\\", "&#", "\u2060", "-->", " ", "1:", "\n1", "\n--> ", "\r\r", "[1:1]", "|/"]
)
@pytest.mark.parametrize("format", ["srt", "vtt", "ass", "sbv", "lrc", "sub"])
def test_no_text_takes_longer_than_its_length(ill: str, format: CueFormat) -> None:
    # Given what would be slow if each part were compared with each other: 30 times as long, 900 times as slow
    heads = {"vtt": "WEBVTT\n\n00:01.000 --> 00:02.000\n", "sub": "{1}{1}25\n{1}{2}", "lrc": "[00:01.00]"}
    heads |= {"ass": "Dialogue: 0,0:00:01.00,0:00:02.00,,,0,0,0,,", "sbv": "0:00:01.000,0:00:02.000\n"}
    head = heads.get(format, "00:00:01,000 --> 00:00:02,000\n")

    def seconds(length: int) -> float:
        # A collection of garbage takes as long as this whole test run is large.
        gc.disable()
        began = time.process_time()
        with suppress(InputError):
            cues(head + ill * (length // len(ill)), format, seconds=1e9, chars=10**9)
        took = time.process_time() - began
        gc.enable()
        return took

    # Then a long one is read in a time that grows no faster than it
    assert seconds(60_000) < 200 * max(seconds(2_000), 0.005)


def test_limits_are_counted_while_a_file_is_read() -> None:
    # Given a line of lyrics that is sung so often that all cues together would not fit into memory
    lrc = "[00:01.00]" * 20_000 + "x" * 3_900
    # Then it is refused when the first are too long
    with pytest.raises(InputError) as refused:
        cues(lrc, "lrc", chars=10_000)
    assert refused.value.code == "text_too_long"
    # And so are more lines than any cues have
    with pytest.raises(InputError) as refused:
        cues(SRT + "\n" * 10_000, "srt", chars=1000)
    assert refused.value.code == "text_too_long"


def test_a_file_that_is_too_large_is_not_read() -> None:
    check_size(64_000, most_chars=1000)
    with pytest.raises(InputError) as refused:
        check_size(70_000, most_chars=1000)
    assert refused.value.code == "text_too_long"
