"""Loops: a decoder that went astray repeats a few words over and over."""

from collections.abc import Sequence

_LONGEST_PHRASE = 8
"""The most words of a repeated phrase."""


def normal(word: str) -> str:
    """Return a word as it is compared: without case, spaces and punctuation."""
    return "".join(sign for sign in word.casefold() if sign.isalnum())


def without_loops(words: Sequence[str], *, allowed: int) -> list[int]:
    """Return the indices of the words to keep so that no phrase occurs more than ``allowed`` times in a row.

    The first ``allowed`` rounds of a loop stay. A single word may occur twice as often: "5 5 5 5".
    """
    keys = [normal(word) for word in words]
    kept: list[int] = []
    place = 0
    while place < len(keys):
        length, rounds = _loop_at(keys, place)
        limit = allowed if length > 1 else 2 * allowed
        if rounds > limit:
            kept.extend(range(place, place + length * limit))
            place += length * rounds
        else:
            kept.append(place)
            place += 1
    return kept


def loops(text: str, *, allowed: int = 2) -> bool:
    """Return True if ``without_loops`` would remove anything from ``text``."""
    words = text.split()
    return len(without_loops(words, allowed=allowed)) < len(words)


def _loop_at(keys: Sequence[str], place: int) -> tuple[int, int]:
    """Return length and rounds of the loop at ``place`` that covers the most words; one round means no loop."""
    best = (1, 1)
    for length in range(1, min(_LONGEST_PHRASE, (len(keys) - place) // 2) + 1):
        phrase = keys[place : place + length]
        rounds = 1
        while keys[place + rounds * length : place + (rounds + 1) * length] == phrase:
            rounds += 1
        if rounds > 1 and length * rounds > best[0] * best[1]:
            best = (length, rounds)
    return best
