import json
import random
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octavia.text.utterances import (
    LONGEST_CHARS,
    LONGEST_SECONDS,
    LONGEST_WORDS,
    PAUSE,
    Utterance,
    next_starts,
    owned,
    sentences,
    split_text,
    words_of,
)
from octavia.text.words import Segment, Word

MIXED = st.text(alphabet="aB1 .,!?;\n\u00a0éÉ¿。、本", max_size=400) | st.text(max_size=200)


def spoken(text: str, start: float = 0.0, *, each: float = 0.3) -> list[Word]:
    return [Word(start + n * each, start + (n + 1) * each, f" {word}", 0.9) for n, word in enumerate(text.split())]


def all_owned(chunks: list[list[Word]], language: str = "en") -> list[Utterance]:
    padded = [None, *chunks, None]
    return list(
        chain.from_iterable(
            owned(padded[k], chunk, padded[k + 2], chunk=k, language=language) for k, chunk in enumerate(chunks)
        )
    )


word_texts = st.sampled_from(
    [
        " [x",
        " y]",
        " ♪",
        " (z)",
        " one",
        " Two",
        " three,",
        " four.",
        " Mr.",
        " 3.5",
        " five!",
        " six…",
        " —",
        "seven?",
        " é;",
    ]
)


@st.composite
def word_streams(draw: st.DrawFn) -> list[list[Word]]:
    clock = 0.0
    chunks = []
    for texts in draw(st.lists(st.lists(word_texts, max_size=45), max_size=6)):
        words = []
        for text in texts:
            clock += draw(st.sampled_from([0.0, 0.0, 0.0, 0.3, 2.0]))
            words.append(Word(clock, clock + 0.3, text, 1.0))
            clock += 0.3
        chunks.append(words)
    return chunks


@settings(max_examples=400)
@given(word_streams(), st.sampled_from(["en", "es", "fr", "zh"]))
def test_every_word_is_owned_exactly_once_and_in_order(chunks, language):
    # When each chunk's owner decides alone, seeing only its neighbours
    utterances = all_owned(chunks, language)

    # Then together they hold each word once, in order
    # (a full stop that only the cut set may be taken away)
    def bare(words: Iterable[Word]) -> list[Word]:
        return [replace(word, text=word.text.rstrip().rstrip(".")) for word in words]

    assert bare(word for u in utterances for word in u.words) == bare(chain.from_iterable(chunks))
    assert len({u.id for u in utterances}) == len(utterances)


@settings(max_examples=200)
@given(word_streams())
def test_an_utterance_begins_in_its_chunk_or_follows_one_that_did(chunks):
    # Given each chunk's owned utterances; then the first of each begins among the chunk's own words
    padded = [None, *chunks, None]
    for k, chunk in enumerate(chunks):
        found = owned(padded[k], chunk, padded[k + 2], chunk=k, language="en")
        if found:
            assert found[0].words[0].start in [word.start for word in chunk]
        assert all(u.id.startswith(f"{k}-") and u.chunk == k for u in found)


@settings(max_examples=200)
@given(word_streams())
def test_each_chunk_knows_where_the_speaker_goes_on(chunks):
    padded = [None, *chunks, None]
    utterances, told = [], []
    for k, chunk in enumerate(chunks):
        # When each chunk's owner says when the speaker goes on after each of its utterances
        found = owned(padded[k], chunk, padded[k + 2], chunk=k, language="en")
        starts = next_starts(found, padded[k + 2], total=1000.0)
        # Then only of its last that may be unknown
        assert None not in starts[:-1]
        utterances += found
        told += starts
    # And what it says is so
    actual = [*(utterance.start for utterance in utterances), 1000.0][1:]
    assert all(start in (wanted, None) for start, wanted in zip(told, actual, strict=True))


def test_where_the_speaker_goes_on_after_a_cut():
    # Given a sentence that crosses a cut, and one after it; or nothing more in the next chunk, or no next chunk
    first, second = spoken("It rained. He was not an"), spoken("ill man. She left.", 2.1)
    for following, after in ((second, second[2].start), (second[:2], None), ([], None), (None, 60.0)):
        found = owned(None, first, following, chunk=0, language="en")
        assert next_starts(found, following, total=60.0) == [first[2].start, after]


@settings(max_examples=200)
@given(word_streams())
def test_no_utterance_is_too_long_to_follow(chunks):
    for u in all_owned(chunks):
        assert len(u.words) <= LONGEST_WORDS
        assert len(u.words) == 1 or u.words[-1].end - u.words[0].start <= LONGEST_SECONDS


def test_a_sentence_that_crosses_a_cut_stays_whole_and_belongs_to_where_it_begins():
    # Given a sentence whose second half lies in the next chunk
    chunks = [spoken("It rained. He was not an ill-disposed"), spoken("young man, I think. She left.", 10)]
    chunks[1] = [Word(w.start - 10 + 2.1, w.end - 10 + 2.1, w.text, w.probability) for w in chunks[1]]
    # When both owners decide
    utterances = all_owned(chunks)
    # Then it is one utterance of chunk 0
    assert [(u.chunk, u.text) for u in utterances] == [
        (0, "It rained."),
        (0, "He was not an ill-disposed young man, I think."),
        (1, "She left."),
    ]


def test_a_full_stop_set_by_the_cut_itself_does_not_end_a_sentence():
    # Given a recogniser that closed the first chunk with a full stop in the middle of a sentence
    first = spoken("We arrived. He was going to.")
    second = spoken("the store. Then home.", first[-1].end)
    # Then the small letter after it says that the sentence goes on
    assert [u.text for u in all_owned([first, second])] == ["We arrived.", "He was going to the store.", "Then home."]


def test_abbreviations_and_decimals_end_nothing():
    words = spoken("Mr. Dashwood paid 3.50 dollars. He left.")
    assert [u.text for u in all_owned([words])] == ["Mr. Dashwood paid 3.50 dollars.", "He left."]


def test_a_pause_ends_an_utterance_without_punctuation():
    words = spoken("first part") + spoken("second part", 0.6 + PAUSE + 0.1)
    assert [u.text for u in all_owned([words])] == ["first part", "second part"]


def test_an_empty_chunk_ends_what_came_before():
    # Given silence in the middle
    chunks = [spoken("Yes. But no end here"), [], spoken("and on it goes", 1.3)]
    # Then nothing crosses it
    assert [(u.chunk, u.text) for u in all_owned(chunks)] == [
        (0, "Yes."),
        (0, "But no end here"),
        (2, "and on it goes"),
    ]


def test_a_long_sentence_is_cut_at_its_clause():
    # Given 36 words with one comma near the middle
    words = spoken(" ".join(["word"] * 17) + " comma, " + " ".join(["more"] * 18))
    first, second = all_owned([words])
    assert first.text.endswith("comma,")
    assert len(second.words) == 18


def test_times_are_those_of_the_words():
    (utterance,) = all_owned([spoken("one two three.", 5.0)])
    assert (utterance.start, utterance.end) == (5.0, pytest.approx(5.9))


def test_words_of_spreads_a_segment_without_word_times():
    # Given one segment with times for its words and one without
    known = Word(0.0, 0.5, " Hi", 0.8)
    words = words_of([Segment(0.0, 0.5, " Hi", (known,)), Segment(1.0, 3.0, " you there")])
    assert [(w.start, w.end, w.text) for w in words] == [(0.0, 0.5, " Hi"), (1.0, 2.0, " you"), (2.0, 3.0, " there")]


def test_an_utterance_survives_json():
    original = Utterance("2-1", 2, 1.25, 3.5, "¿Qué?", "What?", (Word(1.25, 3.5, " ¿Qué?", 0.5),), breaks=2)
    read = Utterance.from_dict(json.loads(json.dumps({**original.to_dict(), "seconds": 1.0})))
    assert read == original
    assert read.spoken == "What?"


@settings(max_examples=400)
@given(MIXED, st.integers(5, 80), st.sampled_from(["en", "fr", "ja", "xx"]))
def test_split_text_loses_nothing_and_keeps_the_bound(text, longest, language):
    pieces = split_text(text, language=language, longest=longest)
    assert "".join(pieces) == text.strip()
    assert all(0 < len(piece) <= longest for piece in pieces)


@settings(max_examples=400)
@given(MIXED, st.sampled_from(["en", "fr", "ja", "xx"]))
def test_sentences_lose_no_letter(text, language):
    found = sentences(text, language=language, chunk=3)
    assert "".join("".join(u.text.split()) for u in found) == "".join(text.split())
    assert all(u.text and len(u.text) <= LONGEST_CHARS for u in found)
    assert [u.id for u in found] == [f"3-{n}" for n in range(len(found))]


def test_sentences_remember_the_layout():
    text = "Title\n\nHello there. How are you?\n- one\n- two\n\n\nA short line without an end\nand another."
    found = [(u.breaks, u.text) for u in sentences(text, language="en")]
    assert found == [
        (0, "Title"),
        (2, "Hello there."),
        (0, "How are you?"),
        (1, "- one"),
        (1, "- two"),
        (2, "A short line without an end"),
        (1, "and another."),
    ]


def test_a_full_line_goes_on_in_the_next():
    text = "This line is long enough that it must have been wrapped by some editor\nand goes on here. End."
    assert [u.text for u in sentences(text, language="en")] == [
        "This line is long enough that it must have been wrapped by some editor and goes on here.",
        "End.",
    ]


def test_the_layout_survives_the_cut_into_pieces():
    # Given paragraphs that end up in different pieces
    text = "First one.\n\nSecond one. More.\nThird line."
    pieces = split_text(text, language="en", longest=20)
    assert "".join(pieces) == text
    # Then each piece knows how it follows the one before
    found = [u for piece in pieces for u in sentences(piece, language="en")]
    assert [(u.breaks, u.text) for u in found] == [
        (0, "First one."),
        (2, "Second one."),
        (0, "More."),
        (1, "Third line."),
    ]


def test_a_monster_without_spaces_is_cut():
    pieces = split_text("x" * 1_000, language="en", longest=300)
    assert [len(piece) for piece in pieces] == [300, 300, 300, 100]


def test_the_bound_is_reached_by_whole_sentences():
    assert split_text("One two. Three four. Five six.", language="en", longest=22) == [
        "One two. Three four. ",
        "Five six.",
    ]


def test_a_million_characters_take_seconds_not_minutes():
    text = " ".join(random.Random(1).choices(["word", "thing.", "Other,", "end!\n"], k=180_000))
    pieces = split_text(text, language="en", longest=1500)
    assert "".join(pieces) == text.strip()


class TestNonSpeech:
    def test_it_is_an_utterance_of_its_own(self) -> None:
        # Given sounds before, within and after what is said, without a full stop to part them
        found = all_owned([spoken("[Music] So I went *sighs* and then (applause)"), spoken("♪ la la ♪ Thank you.")])
        # Then each is marked, and no speech is
        assert [(one.text, one.speech) for one in found] == [
            ("[Music]", False),
            ("So I went", True),
            ("*sighs*", False),
            ("and then (applause)", True),
            ("♪ la la ♪", False),
            ("Thank you.", True),
        ]

    def test_no_sentence_goes_on_through_it_into_the_next_chunk(self) -> None:
        found = all_owned([spoken("One. I went to the [noise]"), spoken("old house.", 6.0)])
        assert [one.text for one in found] == ["One.", "I went to the", "[noise]", "old house."]

    def test_a_long_one_stays_whole(self) -> None:
        song = "♪ " + " ".join(["la"] * 26) + " ♪"
        [found] = all_owned([spoken(song, each=1.0)])
        assert (found.text, found.speech) == (song, False)

    def test_it_is_shown_and_not_said(self) -> None:
        music = Utterance("0-0", 0, 0.0, 1.0, "[Music]", speech=False)
        assert (music.spoken, music.said) == ("[Music]", "")
        assert Utterance.from_dict(json.loads(json.dumps(music.to_dict()))) == music

    def test_what_an_older_release_wrote_is_speech(self) -> None:
        written = Utterance("0-0", 0, 0.0, 1.0, "Hello.").to_dict()
        del written["speech"]
        assert Utterance.from_dict(written).speech
