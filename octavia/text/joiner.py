"""The word joiner (U+2060), which splits what readers would take for markup, in formats without escapes.

It is invisible. Those that a text has itself are doubled, so that every text is read as it was written.
"""

import re
from typing import Final

JOINER: Final = "\u2060"

_RUN: Final = re.compile(f"{JOINER}+")


def guarded(text: str, marks: re.Pattern[str]) -> str:
    """Return a text with a joiner behind each match of ``marks``."""
    return marks.sub(lambda mark: mark.group() + JOINER, text.replace(JOINER, JOINER * 2))


def unguarded(text: str) -> str:
    """Return the text that ``guarded`` was given."""
    return _RUN.sub(lambda run: JOINER * (len(run.group()) // 2), text)
