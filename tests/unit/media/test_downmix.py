"""Channels become one, and nothing that one of them says is lost."""

import numpy as np
import pytest

from octavia.media.downmix import Downmix

RATE = 16_000
SECONDS = 6.0
STEREO = np.array([0.5, 0.5], dtype=np.float32)
# FFmpeg's: front left and right, centre, low frequencies, back left and right.
SURROUND = np.array([0.207, 0.207, 0.293, 0.0, 0.146, 0.146], dtype=np.float32)


def said(seed: int, seconds: float = SECONDS, level: float = 0.1) -> np.ndarray:
    """Noise in syllables and phrases, with pauses between them."""
    times = np.arange(round(seconds * RATE)) / RATE
    swell = np.clip(np.sin(2 * np.pi * 3 * times), 0, 1) * (np.sin(2 * np.pi * 0.4 * times + seed) > -0.5)
    noise = np.random.default_rng(seed).standard_normal(len(times))
    return (level * swell * noise).astype(np.float32)


def hiss(seed: int) -> np.ndarray:
    """A microphone's noise, 50 dB below speech."""
    return (3e-4 * np.random.default_rng(seed).standard_normal(round(SECONDS * RATE))).astype(np.float32)


def mixed(*channels: np.ndarray, weights: np.ndarray = STEREO, block: int = 1_152) -> np.ndarray:
    whole = np.stack(channels).astype(np.float32)
    downmix = Downmix(weights, RATE)
    pieces = [downmix.push(whole[:, start : start + block]) for start in range(0, whole.shape[1], block)]
    result = np.concatenate([*pieces, downmix.flush()])
    assert result.shape == whole.shape[1:]
    return result


def louder(samples: np.ndarray, than: np.ndarray) -> float:
    """In dB."""
    return float(10 * np.log10(np.mean(samples.astype(float) ** 2) / np.mean(than.astype(float) ** 2)))


VOICE, OTHER, NOTHING = said(1), said(2), np.zeros(round(SECONDS * RATE), dtype=np.float32)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (VOICE, -VOICE),
        (VOICE + hiss(3), hiss(4) - VOICE),
        (VOICE, -0.2 * VOICE),
        (VOICE, NOTHING),
        (NOTHING, VOICE),
        (VOICE + hiss(3), hiss(4)),
        (VOICE, 0.1 * VOICE),
        (VOICE, 0.3 * OTHER),
        (VOICE, VOICE),
    ],
    ids=[
        "inverted",
        "and noisy",
        "in part",
        "left",
        "right",
        "hiss",
        "crosstalk",
        "mid and side",
        "dual mono",
    ],
)
def test_speech_is_as_loud_as_in_its_channel(left: np.ndarray, right: np.ndarray) -> None:
    assert louder(mixed(left, right), VOICE) == pytest.approx(0.0, abs=1.0)


@pytest.mark.parametrize(
    ("left", "right"),
    [(VOICE, -0.5 * VOICE), (VOICE, 0.5 * OTHER), (VOICE, np.roll(VOICE, 80)), (VOICE, -np.roll(VOICE, 80))],
    ids=["half inverted", "wide mid and side", "late", "late and inverted"],
)
def test_less_than_three_decibels_are_lost(left: np.ndarray, right: np.ndarray) -> None:
    assert louder(mixed(left, right), VOICE) > -3.1


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (VOICE, OTHER),
        (VOICE, 0.7 * OTHER),
        (VOICE + 0.3 * OTHER, VOICE + 0.3 * said(3)),
        (np.concatenate([VOICE, NOTHING]), np.concatenate([NOTHING, OTHER])),
        (NOTHING, NOTHING),
        (0.3 * hiss(1), 0.3 * hiss(2)),
    ],
    ids=["two voices", "one of them softer", "a voice in a room", "in turns", "silence", "hiss"],
)
def test_true_stereo_is_unchanged(left: np.ndarray, right: np.ndarray) -> None:
    assert np.abs(mixed(left, right) - (left + right) / 2).max() < 1e-6


def test_what_is_inverted_only_for_a_while_is_heard_throughout() -> None:
    # Given a recording whose second part is inverted, as after a cable was changed
    left, right = np.concatenate([VOICE, VOICE]), np.concatenate([VOICE, -VOICE])
    # Then both are heard, from the first syllable
    result = mixed(left, right)
    assert louder(result[: len(VOICE)], VOICE) == pytest.approx(0.0, abs=0.5)
    assert louder(result[len(VOICE) :], VOICE) == pytest.approx(0.0, abs=0.5)


def test_speech_in_the_centre_of_surround_is_not_made_quiet() -> None:
    quiet = [NOTHING] * 3
    assert louder(mixed(NOTHING, NOTHING, VOICE, *quiet, weights=SURROUND), VOICE) == pytest.approx(0.0, abs=0.5)
    # Nor does an inverted pair beside it vanish
    beside = mixed(OTHER, -OTHER, NOTHING, *quiet, weights=SURROUND)
    assert louder(beside, OTHER) > -3.1


def test_what_is_made_louder_stays_within_full_scale() -> None:
    # Given one channel that is loud, and for a moment both
    left = np.clip(said(1, level=0.4), -1, 1)
    right = np.where(np.arange(len(left)) // RATE == 3, left, 0.0)
    # Then nothing is clipped
    assert np.abs(mixed(left, right)).max() <= 1.0


def test_the_size_of_the_blocks_makes_no_difference() -> None:
    left, right = VOICE, hiss(1) - VOICE
    assert np.array_equal(mixed(left, right, block=1_152), mixed(left, right, block=50_000))


def test_memory_is_bounded() -> None:
    # Given a minute, block by block
    downmix = Downmix(STEREO, RATE)
    block = np.stack([VOICE, OTHER])[:, :RATE]
    # Then no more than the seconds that are looked ahead are held
    ready = sum(len(downmix.push(block)) for _ in range(60))
    assert 60 * RATE - ready < 21 * RATE


def test_values_that_are_no_numbers_harm_no_other_sample() -> None:
    # Given float samples that are not finite
    left = VOICE.copy()
    left[1_000] = np.inf
    result = mixed(left, -VOICE)
    assert louder(result[RATE:], VOICE[RATE:]) == pytest.approx(0.0, abs=0.5)
