import numpy as np
import pytest

from octavia.engines.voices.tempo import stretch

RATE = 24_000


def tone(hertz: float, seconds: float) -> np.ndarray:
    return (0.3 * np.sin(np.arange(round(RATE * seconds)) * 2 * np.pi * hertz / RATE)).astype(np.float32)


@pytest.mark.parametrize("speed", [0.25, 0.3, 0.5, 0.8, 1.25, 2.0, 3.0, 4.0])
def test_the_length_changes_and_the_pitch_does_not(speed: float) -> None:
    samples = tone(440, 3.0)
    changed = stretch(samples, RATE, speed)
    assert len(changed) == round(len(samples) / speed)
    spectrum = np.abs(np.fft.rfft(changed * np.hanning(len(changed))))
    assert spectrum.argmax() * RATE / len(changed) == pytest.approx(440, abs=5)
    assert np.array_equal(changed, stretch(samples, RATE, speed))


def test_natural_speed_and_nothing_stay_as_they_are() -> None:
    samples = tone(440, 0.5)
    assert stretch(samples, RATE, 1.0) is samples
    assert stretch(samples[:0], RATE, 1.5).size == 0


@pytest.mark.parametrize("speed", [0.25, 0.85, 1.1, 1.5, 4.0])
def test_the_end_of_the_sound_is_there(speed: float) -> None:
    # Given a sound after a silence, to the very end
    samples = np.concatenate([np.zeros(RATE, np.float32), tone(440, 0.5)])
    # Then it is heard to the end, a period or two of the filter's own window apart
    changed = stretch(samples, RATE, speed)
    assert np.abs(changed[-round(0.03 * RATE) :]).max() > 0.2
    assert np.abs(changed[: round(0.9 * RATE / speed)]).max() < 0.01


@pytest.mark.parametrize("seconds", [0.0001, 0.01])
def test_a_very_short_sound(seconds: float) -> None:
    samples = tone(440, seconds)
    assert len(stretch(samples, RATE, 1.5)) == round(len(samples) / 1.5)
