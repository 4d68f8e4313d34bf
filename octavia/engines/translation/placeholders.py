"""Placeholders for the parts of a sentence that a translation must keep: signs that models copy more reliably."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from octavia.engines.replacements import Replacement, Replacer, replaced

DIGITS: Final = tuple("3456789")
"""Signs that keep the grammar of numbers."""

LETTERS: Final = tuple("XYZWQVJ")

CHOICES: Final = 4
"""Translations of one text examined for one that kept everything."""

Choice = TypeVar("Choice")


class Masked(NamedTuple):
    """A text with a sign in place of each part to keep, and the signs in order."""

    text: str
    signs: tuple[str, ...]


def masks(text: str, spans: Sequence[tuple[int, int]], alphabets: Sequence[Sequence[str]]) -> list[Masked]:
    """Mask the spans of ``text``, once with each alphabet that fits.

    An alphabet does not fit if it has too few signs or if the rest of the text contains one of them.
    """
    rest = replaced(text, (Replacement(*span, "") for span in spans))
    fitting = []
    for alphabet in alphabets:
        signs = tuple(alphabet[: len(spans)])
        if len(signs) == len(spans) and not any(re.search(_alone(sign), rest) for sign in signs):
            masked = replaced(text, (Replacement(*span, sign) for span, sign in zip(spans, signs, strict=True)))
            fitting.append(Masked(masked, signs))
    return fitting


def unmasked(translation: str, values: Mapping[str, str]) -> str | None:
    """Write the value of each sign in its place; None if the signs did not come through one to one."""
    found = list(Replacer((_alone(sign), value) for sign, value in values.items()).find(translation))
    if Counter(translation[start:end] for start, end, _ in found) != Counter(values.keys()):
        return None
    return replaced(translation, found)


def translate_masked(
    masked: Mapping[str, Sequence[Masked]],
    translate: Callable[[list[str]], list[list[Choice]]],
    unmask: Callable[[str, tuple[str, ...], Choice], Choice | None],
    *,
    count: int,
) -> dict[str, list[Choice]]:
    """Translate each text by the first of its masks that comes through.

    Parameters:
      masked: The masks of each text, in the order in which they are tried.
      translate: Translates a batch; returns several choices for each text.
      unmask: Takes a text, its signs and a choice; returns the choice with its parts written back, or None.
      count: The most choices returned for a text.

    Returns:
      The choices that kept everything; texts without one are absent.
    """
    done: dict[str, list[Choice]] = {}
    untried = {text: list(options) for text, options in masked.items()}
    while untried := {text: options for text, options in untried.items() if options and text not in done}:
        tried = {text: options.pop(0) for text, options in untried.items()}
        answers = translate([option.text for option in tried.values()])
        for (text, option), choices in zip(tried.items(), answers, strict=True):
            kept = [whole for choice in choices if (whole := unmask(text, option.signs, choice)) is not None]
            if kept:
                done[text] = kept[:count]
    return done


def _alone(sign: str) -> str:
    return rf"(?<![^\W_]){sign}(?![^\W_])"
