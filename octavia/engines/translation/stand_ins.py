"""What stands in a sentence for things that a translation must keep: signs that models copy more surely."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

DIGITS = tuple("3456789")
"""They keep the grammar of numbers."""

LETTERS = tuple("XYZWQVJ")


def masks(
    text: str, spans: Sequence[tuple[int, int]], alphabets: Sequence[Sequence[str]]
) -> list[tuple[str, tuple[str, ...]]]:
    """``text`` with a sign in the place of each span, and the signs in order: once for each alphabet that fits.

    One does not fit when it has too few signs, or when the text uses one of them itself.
    """
    without = replaced(text, spans, [""] * len(spans))
    fitting = []
    for alphabet in alphabets:
        signs = tuple(alphabet[: len(spans)])
        if len(signs) == len(spans) and not any(_standing(sign).search(without) for sign in signs):
            fitting.append((replaced(text, spans, signs), signs))
    return fitting


def unmasked(translation: str, values: Mapping[str, str]) -> str | None:
    """Write the value of each sign in its place; None when the signs did not come through one to one."""
    sign = re.compile("|".join(_standing(sign).pattern for sign in values))
    if Counter(sign.findall(translation)) != Counter(values.keys()):
        return None
    return sign.sub(lambda match: values[match[0]], translation)


def replaced(text: str, spans: Sequence[tuple[int, int]], replacements: Sequence[str]) -> str:
    """``text`` with each span, in order and none within another, replaced by its own replacement."""
    parts: list[str] = []
    done = 0
    for (start, end), replacement in zip(spans, replacements, strict=True):
        parts += [text[done:start], replacement]
        done = end
    return "".join([*parts, text[done:]])


def _standing(sign: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){sign}(?![^\W_])")
