from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octavia.engines.recognition.guards import guarded
from octavia.text.words import Segment, Word


def segment(text: str, start: float = 0.0, end: float = 2.0, *, probability: float = 0.9, **others: float) -> Segment:
    texts = text.split()
    step = (end - start) / max(1, len(texts))
    words = tuple(
        Word(start + index * step, start + (index + 1) * step, f" {word}", probability)
        for index, word in enumerate(texts)
    )
    return Segment(start, end, text, words, **{"avg_logprob": -0.2, "no_speech_prob": 0.01, **others})


def texts(*segments: Segment, duration: float = 1000.0) -> list[str]:
    return [found.text for found in guarded(segments, duration)]


class TestWhatNobodySaid:
    def test_sure_speech_passes_unchanged(self) -> None:
        said = segment("It was a bright cold day.")
        assert list(guarded([said], 2.0)) == [said]

    @pytest.mark.parametrize("text", ["", "...", " - ", "♪♪"])
    def test_segments_without_a_letter_go(self, text: str) -> None:
        assert texts(segment(text)) == []

    def test_bytes_that_are_no_character_go(self) -> None:
        # Given a word that a window cut in the middle of a character, and one that is nothing else
        [found] = guarded([segment("Caf\ufffd is \ufffd open.")], 2.0)
        assert (found.text, [word.text for word in found.words]) == ("Caf is  open.", [" Caf", " is", " open."])
        assert texts(segment("\ufffd")) == []

    def test_unsure_words_in_silence_go(self) -> None:
        assert texts(segment("Thanks for watching!", no_speech_prob=0.8, avg_logprob=-0.9)) == []
        assert texts(segment("Thank you.", no_speech_prob=0.8, probability=0.2)) == []

    def test_sure_words_stay_though_whisper_thought_of_silence(self) -> None:
        assert texts(segment("Wait.", no_speech_prob=0.8)) == ["Wait."]

    def test_unsure_words_stay_where_there_is_speech(self) -> None:
        assert texts(segment("Mumble mumble.", probability=0.2, avg_logprob=-0.95)) == ["Mumble mumble."]

    def test_more_words_than_anybody_says_in_the_time_go(self) -> None:
        assert texts(segment("Thank you very much for watching and see you in the next one.", 2.88, 2.96)) == []
        assert texts(segment("Yes, of course.", 0.0, 0.2)) == ["Yes, of course."]

    def test_a_segment_said_a_third_time_goes(self) -> None:
        repeated = segment("I will see you next time.")
        assert len(texts(repeated, replace(repeated, text="I will see you, next time"), repeated, repeated)) == 2

    def test_short_answers_may_be_repeated_more_often(self) -> None:
        assert len(texts(*[segment("Yes.")] * 6)) == 4

    def test_other_words_between_reset_the_count(self) -> None:
        one, two = segment("I will see you there."), segment("And then he went away.")
        assert len(texts(one, one, two, one, one)) == 5

    def test_a_loop_within_a_segment_is_cut(self) -> None:
        [found] = guarded([segment("and so on " * 12 + "he said", 0.0, 38.0)], 100.0)
        assert found.text == "and so on and so on and so on he said"
        assert len(found.words) == 11

    def test_a_segment_that_ends_in_a_loop_ends_where_its_words_do(self) -> None:
        [found] = guarded([segment("you know it " * 12, 0.0, 36.0)], 100.0)
        assert found.text == "you know it you know it you know it"
        assert found.end == found.words[-1].end == pytest.approx(9.0)

    def test_text_that_is_all_repetition_goes(self) -> None:
        babble = " ".join(f"ha{'ha' * (index % 2)} hahaha haha{'h' * (index % 3)}" for index in range(30))
        assert texts(segment(babble)) == []


class TestTimes:
    def test_words_without_times_are_spread_by_their_length(self) -> None:
        [found] = guarded([Segment(1.0, 3.0, "Hi there")], 10.0)
        assert [word.text for word in found.words] == [" Hi", " there"]
        assert found.words[0].start == 1.0
        assert found.words[0].end == found.words[1].start == pytest.approx(1.0 + 2.0 * 2 / 7)
        assert found.words[1].end == 3.0

    def test_times_stay_within_the_audio_and_in_order(self) -> None:
        first, second = segment("one two", -0.2, 2.0), segment("three four", 1.5, 9.0)
        found = list(guarded([first, second], 4.0))
        times = [time for part in found for word in part.words for time in (word.start, word.end)]
        assert times == sorted(times)
        assert times[0] == 0.0
        assert times[-1] == 4.0

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["a b", "c", "d e f", "", "x"]), st.floats(-1, 30), st.floats(-1, 30), st.booleans()
            )
        )
    )
    def test_every_segment_has_words_and_times_in_order(self, parts: list[tuple[str, float, float, bool]]) -> None:
        given_ = [
            segment(text, start, end) if timed else Segment(start, end, text) for text, start, end, timed in parts
        ]
        found = list(guarded(given_, 20.0))
        assert all(part.words for part in found)
        assert all(part.start == part.words[0].start and part.end == part.words[-1].end for part in found)
        times = [time for part in found for word in part.words for time in (word.start, word.end)]
        assert all(0 <= time <= 20 for time in times)
        assert all(earlier <= later for earlier, later in pairwise(times))


def test_segments_are_passed_on_as_they_come() -> None:
    # Given a recogniser that has only heard the first segment
    def heard() -> object:
        yield segment("First things first.")
        raise AssertionError("asked for more than was needed")

    # Then that one can be had already
    assert next(guarded(heard(), 10.0)).text == "First things first."  # type: ignore[arg-type]
