"""Subtitles keep every hard rule whatever is said, and no others would keep more of the soft ones."""

from dataclasses import asdict, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from octavia.subtitles import bilingual, subtitles
from octavia.subtitles.cueing import plan
from octavia.subtitles.cues import Subtitles
from octavia.subtitles.streams import Stream
from octavia.subtitles.units import units_of
from octavia.text.utterances import Utterance
from tests.support.subtitle_rules import Proof, Shown, check_hard, plain
from tests.unit.subtitles.samples import LETTERS, WORDS, nonsense, speech

shapes = st.sampled_from([(42, 2), (42, 1), (16, 2), (24, 3)])


def shown(made: Subtitles) -> list[Shown]:
    return [Shown(cue.start, cue.end, tuple(line.text for line in cue.lines)) for cue in made.cues]


def check_best(stream: Stream, made: Subtitles, width: int, lines: int) -> None:
    """It counts what it breaks, and nothing else would break less."""
    proof = Proof(stream, width=width, lines=lines)
    count = proof.count(shown(made))
    assert made.report.to_dict() == {"cues": len(made.cues), **asdict(count)}
    assert count.weight == proof.fewest()


@settings(max_examples=60)
@given(speech() | speech(WORDS + LETTERS) | speech(LETTERS), shapes)
def test_no_other_cues_of_what_was_said_would_break_fewer_rules(
    spoken: list[Utterance], shape: tuple[int, int]
) -> None:
    width, lines = shape
    made = subtitles(spoken, language="en", max_line_length=width, max_lines=lines)
    check_hard(shown(made), [utterance.text for utterance in spoken], width=width, lines=lines)
    stream, _ = plan(Stream.of(units_of(spoken, translated=False, language="en")), width=width, lines=lines)
    check_best(stream, made, width, lines)


@settings(max_examples=30)
@given(speech(longest=8), st.lists(st.lists(st.sampled_from(WORDS), max_size=12), min_size=3, max_size=3))
def test_no_other_bilingual_cues_would_break_fewer_rules(spoken: list[Utterance], meant: list[list[str]]) -> None:
    # Given utterances with translations, some of which are missing
    translations = [" ".join(words) or None for words in meant]
    both = [replace(one, translation=other) for one, other in zip(spoken, translations, strict=False)]
    # When they are shown together
    made = bilingual(both, source_language="en", language="es")
    # Then each text is there once, the original above
    lines = [line for cue in made.cues for line in cue.lines]
    for language, texts in (("en", [one.text for one in both]), ("es", [one.translation or "" for one in both])):
        assert " ".join(line.text for line in lines if line.language == language).split() == " ".join(texts).split()
    assert all([line.language for line in cue.lines] in (["en"], ["es"], ["en", "es"]) for cue in made.cues)
    check_hard(shown(made), [line.text for line in lines])
    # And no other cues would be better
    units = units_of(both, translated=True, language="es")
    units = [[] if one.translation is None else found for one, found in zip(both, units, strict=True)]
    stream, _ = plan(Stream.of(units_of(both, translated=False, language="en"), units), width=42, lines=1)
    check_best(stream, made, 42, 1)


@settings(max_examples=60)
@given(nonsense(), shapes, st.booleans())
def test_nonsense_breaks_no_hard_rule_and_no_soft_one_without_need(
    spoken: list[Utterance], shape: tuple[int, int], translated: bool
) -> None:
    width, lines = shape
    made = subtitles(spoken, translated=translated, max_line_length=width, max_lines=lines)
    check_hard(shown(made), [one.spoken if translated else one.text for one in spoken], width=width, lines=lines)
    stream, _ = plan(Stream.of(units_of(spoken, translated=translated, language=None)), width=width, lines=lines)
    check_best(stream, made, width, lines)
    both = bilingual(spoken, source_language="en", language="es", max_line_length=width)
    lines_shown = [line for cue in both.cues for line in cue.lines]
    for language, texts in (("en", [one.text for one in spoken]), ("es", [one.translation or "" for one in spoken])):
        shown_there = "".join(plain(line.text) for line in lines_shown if line.language == language)
        assert shown_there == "".join(map(plain, texts))
    check_hard(shown(both), [line.text for line in lines_shown], width=width)
