"""Numbers, which a translation must keep: small models garble digits ("35 people" → "3 personas").

A number is a run of digits with the dots, commas or no-break spaces inside it; numbers with equal digits are equal,
whatever their separators.
"""

import re
import unicodedata
from collections import Counter, deque
from collections.abc import Mapping, Sequence

from octavia.engines.translation import placeholders

_NUMBER = re.compile(r"\d+(?:[.,\u00a0\u202f]\d+)*")
_ORDINAL = re.compile(_NUMBER.pattern + r"(?:(?:st|nd|rd|th|s)\b)?")
"""A number with its English ending: a placeholder cannot carry "21st" or "1990s"."""

_GROUPED = re.compile(r"\d{1,3}(?:[.,\u00a0\u202f]\d{3})+")

_DECIMAL_COMMA = (
    "az be bg bs ca cs da de el es et eu fi fr gl hr hu hy id is it ka kk lt lv mk mn nl nn no pl pt ro ru sk sl sq "
    "sr sv tr uk uz vi"
)
"""Languages that write 1.234,5 where English writes 1,234.5."""


def numbers(text: str) -> list[str]:
    """Return the numbers of ``text`` in order, as written."""
    return _NUMBER.findall(text)


def survive(source: str, translation: str) -> bool:
    """Return True if the translation has the source's numbers, each as often, in any order."""
    return _counts(source) == _counts(translation)


def localized(number: str, source: str, target: str) -> str:
    """Write ``number``, found in language ``source``, the way ``target`` does.

    A Spanish voice reads "1,200" as a decimal. Numbers that are neither grouped nor decimal ("192.168.1.10") stay as
    they are.
    """
    parsed = _parse(number, _decimal_mark(source))
    if parsed is None:
        return number
    whole, fraction = parsed
    mark = _decimal_mark(target)
    # Four digits are not grouped in most languages, and years never are.
    if len(whole) > 4 and not number.startswith(whole):
        whole = _grouped(_key(whole), "." if mark == "," else ",")
    return f"{whole}{mark}{fraction}" if fraction else whole


def restored(source_text: str, translation: str, source: str, target: str) -> str:
    """Put the source's own numbers in place of the translation's.

    Numbers with equal digits only get the target's separators; the others are replaced by the source's other numbers in
    order, unless more of them are left on one side than on the other.
    """
    wanted = numbers(source_text)
    found = numbers(translation)
    choice = _pair([_key(number) for number in wanted], [_key(number) for number in found])
    written = (
        localized(wanted[choice[place]], source, target) if place in choice else number
        for place, number in enumerate(found)
    )
    return _NUMBER.sub(lambda _: next(written), translation)


def rewritten(text: str, written: Mapping[str, str]) -> str:
    """Replace each number of ``text`` by what a mapping has for it."""
    return _NUMBER.sub(lambda match: written[match[0]], text)


def garbled(source_text: str, translation: str) -> int | None:
    """Count the numbers that differ, if source and translation have equally many; None otherwise."""
    wanted, found = _counts(source_text), _counts(translation)
    missing, extra = (wanted - found).total(), (found - wanted).total()
    return missing if missing == extra else None


def masks(text: str) -> list[placeholders.Masked]:
    """Mask each number of ``text``, with digits and with letters if they fit."""
    spans = [match.span() for match in _ORDINAL.finditer(text)]
    return placeholders.masks(text, spans, (placeholders.DIGITS, placeholders.LETTERS))


def unmasked(masked: str, source_text: str, signs: Sequence[str], source: str, target: str) -> str | None:
    """Put the numbers of ``source_text`` back for their placeholders; None if those did not come through one to one."""
    if not set(numbers(masked)) <= set(signs):
        return None
    own = (localized(number, source, target) for number in numbers(source_text))
    return placeholders.unmasked(masked, dict(zip(signs, own, strict=True)))


def _counts(text: str) -> Counter[str]:
    return Counter(map(_key, numbers(text)))


def _key(number: str) -> str:
    """Return the digits in ASCII without leading zeros: "05" and "5" are equal, as are "१२" and "12"."""
    return "".join(str(unicodedata.digit(sign)) for sign in number if sign.isdecimal()).lstrip("0")


def _pair(wanted: list[str], found: list[str]) -> dict[int, int]:
    """Return the index in ``wanted`` for each index in ``found``: equal numbers first, then the rest in order."""
    places: dict[str, deque[int]] = {}
    for index, key in enumerate(wanted):
        places.setdefault(key, deque()).append(index)
    choice = {place: places[key].popleft() for place, key in enumerate(found) if places.get(key)}
    taken = set(choice.values())
    free = [index for index in range(len(wanted)) if index not in taken]
    left = [place for place in range(len(found)) if place not in choice]
    if len(left) == len(free):
        choice |= dict(zip(left, free, strict=True))
    return choice


def _grouped(digits: str, separator: str) -> str:
    """Write digits, however many, in groups of three."""
    first = len(digits) % 3
    groups = [digits[place : place + 3] for place in range(first, len(digits), 3)]
    return separator.join([digits[:first], *groups] if first else groups)


def _decimal_mark(language: str) -> str:
    return "," if language in _DECIMAL_COMMA.split() else "."


def _parse(number: str, mark: str) -> tuple[str, str] | None:
    """Return whole digits and fraction digits; None if it is not a plain number."""
    separators = re.sub(r"\d", "", number)
    if not separators:
        return number, ""
    whole, has_mark, fraction = number.partition(mark) if separators[-1] == mark else (number, "", "")
    if has_mark and (mark in fraction or re.search(r"\D", fraction)):
        # Several decimal marks group digits after all: 1.234.567 in English text.
        return (re.sub(r"\D", "", number), "") if _GROUPED.fullmatch(number) else None
    if whole.isdecimal() and has_mark:
        return whole, fraction
    if _GROUPED.fullmatch(whole):
        return re.sub(r"\D", "", whole), fraction
    return None
