"""Loops: a decoder that has lost its thread says the same few words over and over."""

from collections.abc import Sequence

_LONGEST_PHRASE = 8
"""Words in the longest phrase looked for."""


def normal(word: str) -> str:
    """The word as compared: case, spaces and punctuation aside."""
    return "".join(sign for sign in word.casefold() if sign.isalnum())


def without_loops(words: Sequence[str], *, allowed: int) -> list[int]:
    """Indices of the words to keep when no phrase may stand more than ``allowed`` times in a row.

    The first ``allowed`` rounds of a loop stay, the rest go. A single word may stand twice as often: "5 5 5 5".
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
    """Whether ``without_loops`` would take anything from ``text``."""
    words = text.split()
    return len(without_loops(words, allowed=allowed)) < len(words)


def _loop_at(keys: Sequence[str], place: int) -> tuple[int, int]:
    """Length and rounds of the loop that starts at ``place`` and covers most words; rounds 1 is no loop."""
    best = (1, 1)
    for length in range(1, min(_LONGEST_PHRASE, (len(keys) - place) // 2) + 1):
        phrase = keys[place : place + length]
        rounds = 1
        while keys[place + rounds * length : place + (rounds + 1) * length] == phrase:
            rounds += 1
        if rounds > 1 and length * rounds > best[0] * best[1]:
            best = (length, rounds)
    return best
