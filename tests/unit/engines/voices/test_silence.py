import numpy as np
import pytest

from octavia.engines.voices.silence import joined, trim

RATE = 16_000


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(RATE * seconds), np.float32)


def tone(seconds: float, level: float = 0.3) -> np.ndarray:
    return (level * np.sin(np.arange(round(RATE * seconds)) * 0.2)).astype(np.float32)


def test_long_silence_becomes_fifty_milliseconds() -> None:
    trimmed = trim(np.concatenate([silence(0.7), tone(1.0), silence(0.9)]), RATE)
    assert len(trimmed) / RATE == pytest.approx(1.1, abs=0.021)


def test_less_silence_may_be_kept() -> None:
    samples = np.concatenate([silence(0.7), tone(1.0), silence(0.9)])
    assert len(trim(samples, RATE, seconds=0.02)) / RATE == pytest.approx(1.04, abs=0.021)


def test_speech_up_to_the_ends_is_not_touched() -> None:
    samples = tone(1.005)
    assert np.array_equal(trim(samples, RATE), samples)


def test_a_quiet_consonant_at_the_end_stays() -> None:
    samples = np.concatenate([tone(0.5), tone(0.2, level=0.01), silence(0.5)])
    assert len(trim(samples, RATE)) / RATE == pytest.approx(0.75, abs=0.011)


@pytest.mark.parametrize("samples", [silence(2.0), silence(0.0), silence(0.003)])
def test_nothing_but_silence_stays_short(samples: np.ndarray) -> None:
    assert len(trim(samples, RATE)) / RATE <= 0.05


def test_sentences_are_joined_with_a_gap() -> None:
    audio = joined([tone(1.0), tone(0.5)], RATE, gap=0.2)
    assert audio.rate == RATE
    assert audio.samples.dtype == np.float32
    assert audio.duration == pytest.approx(1.7)
    assert not audio.samples[RATE : RATE + 3200].any()


def test_no_sentences_are_joined_into_a_silent_pause() -> None:
    audio = joined([], RATE)
    assert audio.duration == pytest.approx(0.2)
    assert not audio.samples.any()
