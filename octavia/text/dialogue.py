"""Lines of a dialogue: each begins with the dash of its speaker, and stays a line of its own."""

import re
from collections.abc import Sequence
from typing import Final

_DASH: Final = re.compile(r"""[-‐‑–—−](?=\s|["'“‘«¿¡(\[]?[^\W\d_])\s*""")


def joined(lines: Sequence[str]) -> str:
    r"""Return a cue's lines as one text, with ``\n`` only before the lines of further speakers."""
    return "".join(("\n" if _DASH.match(line) else " ") + line if number else line for number, line in enumerate(lines))


def turns(text: str) -> list[tuple[str, str]]:
    """Return the dash and the words of each line of a text; the dash is empty where a line begins with none."""
    return [_split(line) for line in text.split("\n")]


def _split(line: str) -> tuple[str, str]:
    dash = _DASH.match(line)
    return (dash.group(), line[dash.end() :]) if dash else ("", line)
