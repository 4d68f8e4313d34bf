"""How the time of a regular expression grows with the text."""

import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tests.support.patterns.adversarial import Attack, attacks

_SHORT = 2000
_LONGER = (4 * _SHORT, 16 * _SHORT)
_WORTH_A_LOOK = 0.001
"""Seconds of processor time; a text of ``_SHORT`` characters that takes less is not tried at greater length."""

_MOST_GROWTH = 9
"""From one length to the next, which is four times as long: 4 is linear, 16 is quadratic."""

_TRIES = 3
_HOPELESS = 0.6
"""Seconds of processor time after which a text is given up, at any length: 20 µs for a character of the longest."""


class Excess(NamedTuple):
    """A text that takes more than its share of time; ``seconds`` for ``length`` characters."""

    attack: Attack
    length: int
    seconds: float


def worst(pattern: re.Pattern[Any], use: str) -> Excess | None:
    """Return a text for which the pattern's time grows faster than the text; None if there is none.

    Parameters:
      use: ``match``, ``fullmatch`` or ``search``; the last stands for all that look for places.
    """
    run = _runner(pattern, use)
    for attack in attacks(pattern):
        first = _seconds(run, attack.text(_SHORT))
        if first >= _WORTH_A_LOOK and (found := _excess(run, attack, first)):
            return found
    return None


def _excess(run: Callable[[Any], object], attack: Attack, first: float) -> Excess | None:
    """Return the attack with its time, if that grows faster than the text at every length.

    A bounded repeat such as ``{0,2000}`` grows like an unbounded one as long as the text is not much longer.
    """
    # Others use the processor and its caches as well, so the least of a few is the truth.
    before = min(first, _seconds(run, attack.text(_SHORT)))
    if before < _WORTH_A_LOOK:
        return None
    for length in _LONGER:
        tries = []
        for _ in range(_TRIES):
            tries.append(_seconds(run, attack.text(length)))
            if tries[-1] < min(_MOST_GROWTH * before, _HOPELESS):
                return None
        before = min(tries)
        if before >= _HOPELESS:
            break
    return Excess(attack, length, before)


def _runner(pattern: re.Pattern[Any], use: str) -> Callable[[Any], object]:
    if use != "search":
        run: Callable[[Any], object] = getattr(pattern, use)
    else:

        def run(text: Any) -> object:
            return sum(1 for _ in pattern.finditer(text))

    if isinstance(pattern.pattern, bytes):
        return lambda text: run(text.encode("latin-1"))
    return run


def _seconds(run: Callable[[Any], object], text: str) -> float:
    with _limit():
        started = time.process_time()
        try:
            run(text)
        except _TooLong:
            return _HOPELESS
        return time.process_time() - started


class _TooLong(Exception):
    pass


@contextmanager
def _limit() -> Iterator[None]:
    """Interrupt a pattern that would take for ever; ``re`` looks for signals from time to time."""

    def stop(*_: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, _HOPELESS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
