"""Recognised text that nobody says: ``[music]``, ``(applause)``, ``*sighs*``, ``♪ la la ♪``."""

import re
from collections.abc import Sequence

from octavia.text.words import Word

_NOTES = ("♪", "♫", "🎵", "🎶")
_CLOSING = {"[": "]", "(": ")", "*": "*", "【": "】", "（": "）"}
_ROUND = ("(", "（")
_STOPS = ".!?…。！？"
_MOST_WORDS = {"[": 12, "(": 4, "*": 4, "【": 12, "（": 4}
_LONGEST_SONG = 30
_PUNCTUATION = re.compile(r"[.,;:!?]")


def runs(words: Sequence[Word], pause: float) -> list[tuple[int, int]]:
    """Return the ``(first, last)`` of each run of such words, ``words[first:last]``, in order.

    Square brackets, asterisks and notes always mark such a run. Round brackets do so only where a sentence could begin,
    with at most four words and no punctuation inside, because they may hold speech as well ("(he laughed.)"). An
    unclosed song lasts until a full stop, a pause, or thirty words.

    Parameters:
      pause: Seconds of silence that end the speech before.
    """
    found: list[tuple[int, int]] = []
    place = 0
    while place < len(words):
        last = _end_of_run(words, place, pause)
        if last is not None:
            found.append((place, last))
        place = last or place + 1
    return found


def is_non_speech(words: Sequence[Word], pause: float) -> bool:
    """Return True if all words are in such runs."""
    return bool(words) and sum(last - first for first, last in runs(words, pause)) == len(words)


def _end_of_run(words: Sequence[Word], first: int, pause: float) -> int | None:
    text = words[first].text.strip()
    if text.startswith(_NOTES):
        return _end_of_song(words, first, pause)
    closing = _CLOSING.get(text[:1])
    if closing is None or (text[0] in _ROUND and not _may_begin(words, first, pause)):
        return None
    for last in range(first, min(first + _MOST_WORDS[text[0]], len(words))):
        inside = words[last].text.strip().rstrip(_STOPS + ",")
        if inside.endswith(closing) and (last > first or len(inside) > 1):
            said = "".join(word.text for word in words[first : last + 1]).strip().rstrip(_STOPS + ",")
            return None if text[0] in _ROUND and _PUNCTUATION.search(said) else last + 1
    return None


def _end_of_song(words: Sequence[Word], first: int, pause: float) -> int:
    line = first + 1
    while line < min(first + _LONGEST_SONG, len(words)) and words[line].start - words[line - 1].end <= pause:
        line += 1
    for last in range(first, line):
        text = words[last].text.strip()
        if text.endswith(_NOTES) and (last > first or text.strip("".join(_NOTES))):
            return last + 1
    full_stop = (last for last in range(first, line) if words[last].text.rstrip().endswith(tuple(_STOPS)))
    return next(full_stop, line - 1) + 1


def _may_begin(words: Sequence[Word], place: int, pause: float) -> bool:
    if place == 0 or words[place].start - words[place - 1].end > pause:
        return True
    return words[place - 1].text.rstrip().endswith((*_STOPS, *_NOTES, *_CLOSING.values()))
