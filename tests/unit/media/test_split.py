import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octavia.media.split import split
from tests.support.media import tone

RATE = 1_000


def noise(seconds: float, level: float, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(round(seconds * RATE)) * level).astype(np.float32)


def pieces(samples: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    cuts = np.cumsum(sizes)
    return np.split(samples, cuts[cuts < len(samples)])


inputs = st.lists(st.tuples(st.floats(0, 12), st.sampled_from([0.0, 1e-5, 0.05, 0.5])), max_size=8).map(
    lambda parts: np.concatenate([noise(s, level, n) for n, (s, level) in enumerate(parts)] or [noise(0, 0)])
)


@settings(max_examples=200)
@given(inputs, st.lists(st.integers(1, 3_000), max_size=30), st.sampled_from([1.5, 5.0, 10.0, 29.0]))
def test_the_chunks_are_the_input_and_none_is_too_long(samples, sizes, longest):
    # Given any sound in blocks of any sizes
    chunks = list(split(pieces(samples, sizes), rate=RATE, longest=longest))
    # Then the chunks joined are the input, each begins where it says, and all are within the bound
    assert np.array_equal(np.concatenate([noise(0, 0), *(chunk.samples for chunk in chunks)]), samples)
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    position = 0
    for chunk in chunks:
        assert chunk.start == position / RATE
        assert 0 < len(chunk.samples) <= longest * RATE
        position += len(chunk.samples)


@settings(max_examples=100)
@given(inputs)
def test_the_last_chunk_is_not_a_remnant(samples):
    chunks = list(split([samples], rate=RATE, longest=10.0))
    if len(chunks) > 1:
        # A quarter of the longest, for 10 s
        assert len(chunks[-1].samples) >= 2.4 * RATE


@settings(max_examples=50)
@given(inputs, st.lists(st.integers(1, 3_000), min_size=1, max_size=20))
def test_the_sizes_of_blocks_change_nothing(samples, sizes):
    whole = [chunk.start for chunk in split([samples], rate=RATE, longest=8.0)]
    assert [chunk.start for chunk in split(pieces(samples, sizes), rate=RATE, longest=8.0)] == whole


@settings(max_examples=50)
@given(inputs, st.lists(st.integers(1, 3_000), min_size=1, max_size=20), st.integers(0, 9))
def test_the_chunks_behind_a_cut_are_the_same(samples, sizes, number):
    # Given the chunks of any input, and one of them, or none
    whole = list(split([samples], rate=RATE, longest=8.0))
    left_out = whole[:number]
    # When the input is cut again from the end of that one
    begin = sum(len(chunk.samples) for chunk in left_out)
    rest = list(split(pieces(samples, sizes), rate=RATE, longest=8.0, first=len(left_out), begin=begin))
    # Then the others are as they were
    assert [(chunk.index, chunk.start) for chunk in rest] == [(chunk.index, chunk.start) for chunk in whole[number:]]
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(rest, whole[number:], strict=True))


def test_a_cut_lies_in_the_pause():
    # Given speech with a pause from 7.5 to 8 s
    samples = np.concatenate([noise(7.5, 0.3), noise(0.5, 1e-4), noise(8, 0.3)])
    first, *_ = split([samples], rate=RATE, longest=10.0)
    # Then the first chunk ends inside it
    assert 7.55 <= len(first.samples) / RATE <= 7.95


def test_without_a_pause_the_cut_lies_at_the_quietest_instant():
    # Given a dip of 30 ms at 8.2 s in steady noise
    samples = noise(20, 0.3)
    samples[8_200:8_230] *= 0.05
    first, *_ = split([samples], rate=RATE, longest=10.0)
    assert 8.19 <= len(first.samples) / RATE <= 8.24


def test_a_pause_early_in_the_chunk_is_not_taken():
    # Given the only pause at 2 s; then the chunk is not cut there
    samples = np.concatenate([noise(2, 0.3), noise(0.5, 0), noise(20, 0.3)])
    first, *_ = split([samples], rate=RATE, longest=10.0)
    assert len(first.samples) / RATE >= 6


def test_silence_is_cut_late_and_nothing_gives_nothing():
    assert len(list(split([noise(100, 0)], rate=RATE, longest=10.0))) <= 11
    assert list(split([], rate=RATE, longest=10.0)) == []


def test_a_short_input_is_one_chunk():
    (chunk,) = split([tone(1, RATE)] * 9, rate=RATE, longest=10.0)
    assert len(chunk.samples) == 9_000


def test_little_is_held_while_streaming():
    # Given endless blocks, of which we count how many were asked for
    asked = 0

    def blocks():
        nonlocal asked
        while True:
            asked += 1
            yield noise(1, 0.3, asked)

    chunks = split(blocks(), rate=RATE, longest=10.0)
    next(chunks)
    # Then a chunk comes as soon as it and what must follow are there
    assert asked <= 14
    next(chunks)
    assert asked <= 24


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_real_rates(rate):
    samples = np.tile(np.concatenate([tone(3, rate), np.zeros(rate // 2, dtype=np.float32)]), 6)
    chunks = list(split([samples], rate=rate, longest=8.0))
    assert sum(len(chunk.samples) for chunk in chunks) == len(samples)
    # Each cut lies in a pause
    for chunk in chunks[:-1]:
        end = (chunk.start + len(chunk.samples) / rate) % 3.5
        assert 3 <= end <= 3.5
