import numpy as np
import pytest

from octavia.engines.tempo import stretch

RATE = 24_000


def tone(hertz: float, seconds: float) -> np.ndarray:
    return (0.3 * np.sin(np.arange(round(RATE * seconds)) * 2 * np.pi * hertz / RATE)).astype(np.float32)


@pytest.mark.parametrize("speed", [0.25, 0.3, 0.5, 0.8, 1.25, 2.0, 3.0, 4.0])
def test_the_length_changes_and_the_pitch_does_not(speed: float) -> None:
    samples = tone(440, 3.0)
    changed = stretch(samples, RATE, speed)
    assert len(samples) / len(changed) == pytest.approx(speed, rel=0.02)
    spectrum = np.abs(np.fft.rfft(changed * np.hanning(len(changed))))
    assert spectrum.argmax() * RATE / len(changed) == pytest.approx(440, abs=5)
    assert np.array_equal(changed, stretch(samples, RATE, speed))


def test_natural_speed_and_nothing_stay_as_they_are() -> None:
    samples = tone(440, 0.5)
    assert stretch(samples, RATE, 1.0) is samples
    assert stretch(samples[:0], RATE, 1.5).size == 0


def test_a_very_short_sound() -> None:
    assert stretch(tone(440, 0.01), RATE, 1.5).size > 0
