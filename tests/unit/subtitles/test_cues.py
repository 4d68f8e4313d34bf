from itertools import pairwise

import pytest

from octavia.subtitles import bilingual, subtitles
from octavia.subtitles.cues import Cue, given
from tests.unit.subtitles.samples import heard, said


def lines(cue: Cue) -> list[str]:
    return [line.text for line in cue.lines]


def test_a_long_text_is_broken_at_its_clauses() -> None:
    text = "And Mr. John Dashwood had then leisure, which he had never sought, to consider what he should do for them."
    found = subtitles([said(text, 10, 17)], language="en")
    assert [lines(cue) for cue in found.cues] == [
        ["And Mr. John Dashwood had then leisure,"],
        ["which he had never sought,", "to consider what he should do for them."],
    ]
    assert found.report.faults.total == 0


def test_the_lines_of_a_dialogue_are_never_joined() -> None:
    # Given a cue of two speakers, of whom one says more than a line holds
    long = "- No, it was the other way round, as everybody who was there has told me."
    shown = given([said(f"- Yes?\n{long}", 1, 2)], language="en")
    # Then each begins a line, and the other one is broken by itself
    (cue,) = shown.cues
    assert lines(cue) == ["- Yes?", "- No, it was the other way round,", "as everybody who was there has told me."]
    assert (cue.start, cue.end) == (1000, 2000)


def test_short_utterances_share_a_cue() -> None:
    # Given answers that are too short to have a cue each
    (cue,) = subtitles([said("Yes.", 1, 1.2), said("No.", 1.5, 1.7), said("Well.", 1.9, 2.4)]).cues
    assert (lines(cue), cue.start, cue.end) == (["Yes. No. Well."], 1000, 2400)


def test_a_short_cue_stays_readable_where_there_is_room() -> None:
    # Given a silence that no cue reaches over, then speech that is fast, then silence
    fast = heard((f"word{number}", 3 + number / 10, 3.1 + number / 10) for number in range(12))
    first, second = subtitles([said("Yes.", 1, 1.2), fast]).cues
    # Then the first stays for a second, and the second for as long as its letters take to read
    assert (first.start, first.end) == (1000, 2000)
    assert second.start == 3000
    assert (second.end - 3000) / 1000 == pytest.approx(len(" ".join(lines(second))) / 17, abs=0.011)


def test_no_cue_is_shown_for_more_than_seven_seconds() -> None:
    # Given one word that a recogniser stretched over a silence, and slow speech
    (stretched,) = subtitles([heard([("Well…", 2, 30)])]).cues
    assert (stretched.start, stretched.end) == (2000, 9000)
    slow = subtitles([said("one two three four five six seven eight nine ten", 0, 20)]).cues
    assert all(cue.end - cue.start <= 7000 for cue in slow)


def test_cues_begin_with_their_first_word_where_its_time_is_known() -> None:
    # Given a sentence with a pause in its middle
    words = [("one", 0.0, 0.5), ("two,", 0.5, 1.5), ("three", 3.0, 3.5), ("four.", 3.5, 4.0)]
    assert [cue.start for cue in subtitles([heard(words)]).cues] == [0, 3000]
    # And for the translation, whose words have no times, by its letters
    translated = subtitles([heard(words, translation="eins zwei, drei vier.")], translated=True, max_line_length=10)
    assert [lines(cue) for cue in translated.cues] == [["eins zwei,", "drei vier."]]


def test_words_that_come_all_at_once_are_shown_one_after_another() -> None:
    # Given more than a cue's words with the same time, then others later
    words = [("word", 1.0, 1.0)] * 60 + [("later", 9.0, 9.5)]
    found = subtitles([heard(words)]).cues
    assert all(after.start - before.end >= 80 for before, after in pairwise(found))
    assert all(cue.end - cue.start >= 200 for cue in found)
    assert found[-1].start == 9000


def test_japanese_is_broken_between_letters_and_at_its_clauses() -> None:
    text = "これはとても長い文章なので、二行に分けて表示しなければなりません。"
    (cue,) = subtitles([said(text, 0, 6)], language="ja").cues
    assert lines(cue) == ["これはとても長い文章なので、", "二行に分けて表示しなければなりません。"]


def test_a_translation_lies_below_what_it_translates() -> None:
    # Given a sentence of two clauses that do not fit in one line, and its translation
    one = said(
        "He was a kind man when he was young, but he had become cold-hearted.",
        0,
        8,
        translation="Era un hombre amable cuando era joven, pero se había vuelto frío.",
    )
    found = bilingual([one, said("Hm.", 12, 13)], source_language="en", language="es").cues
    assert [lines(cue) for cue in found] == [
        ["He was a kind man when he was young,", "Era un hombre amable cuando era joven,"],
        ["but he had become cold-hearted.", "pero se había vuelto frío."],
        ["Hm."],
    ]


def test_a_long_translation_of_little_is_shown_one_line_at_a_time() -> None:
    one = said("Yes.", 0, 6, translation="Sí, por supuesto que sí, y además quería decirte que me parece muy bien.")
    found = bilingual([one], source_language="en", language="es").cues
    assert lines(found[0])[0] == "Yes."
    assert [len(cue.lines) for cue in found] == [2, 1, 1]
    assert bilingual([one], source_language="en", language="es", max_lines=4).report.cues == 2
