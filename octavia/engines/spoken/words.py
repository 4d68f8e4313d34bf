"""Numbers in words, by Unicode CLDR's rule-based number formats, and the way each language writes numbers."""

import re
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Final

from unicode_rbnf import FormatPurpose, RbnfEngine


class Form(StrEnum):
    """The form of a number: English has one, Spanish agrees with the noun after it."""

    COUNTING = "counting"
    MASCULINE = "masculine"
    FEMININE = "feminine"


LANGUAGES: Final = frozenset({"en", "es"})
"""The languages whose numbers are put into words here; voices read other digits themselves."""

LARGEST: Final = 10**15
"""Numbers of this size and more are read digit by digit. Only ``Decimal`` holds any number of digits in little time."""

_SPACES = "\u00a0\u202f"

# Bounded, because a list without end looks like a number from each of its groups: "0 000 000 …".
_GROUPS = "{1,12}"

NUMBERS: Final = {
    "en": rf"(?:\d{{1,3}}(?:[,{_SPACES}]\d{{3}}){_GROUPS}|\d+)(?:\.\d+)?(?![\d])",
    # Mexico and Central America write 1,234.5. Other spaces become ordinary ones where text is put into one line.
    "es": rf"(?:\d{{1,3}}(?:[.{_SPACES} ]\d{{3}}){_GROUPS}(?:,\d+)?|\d{{1,3}}(?:,\d{{3}}){_GROUPS}\.\d+"
    r"|\d+(?:[.,]\d+)?)(?![\d])",
}
"""Patterns of a number as each language writes it, with its separators; not followed by another digit."""

MINUS: Final = {"en": "minus", "es": "menos"}
TO: Final = {"en": "to", "es": "a"}
"""The word between the ends of a range."""

_engine = cache(RbnfEngine.for_language)
_POINT = {"en": ".", "es": ","}
_POINT_NAMES = {"en": "point", "es": "coma"}
_NAMES = {
    "en": {Form.COUNTING: "spellout-cardinal"},
    "es": {
        Form.COUNTING: "spellout-numbering",
        Form.MASCULINE: "spellout-cardinal-masculine",
        Form.FEMININE: "spellout-cardinal-feminine",
    },
}
_ORDINALS = {
    "en": {Form.COUNTING: "spellout-ordinal"},
    "es": {
        Form.COUNTING: "spellout-ordinal-masculine",
        Form.MASCULINE: "spellout-ordinal-masculine-adjective",
        Form.FEMININE: "spellout-ordinal-feminine",
    },
}


def value(number: str, language: str) -> Decimal:
    """Return the value of a number that ``NUMBERS`` matches."""
    number = re.sub(f"[{_SPACES} ]", "", number)
    point = _POINT[language]
    if language == "es" and re.fullmatch(r"\d{1,3}(?:,\d{3})+\.\d+|\d+\.\d{1,2}|\d+\.\d{4,}", number):
        point = "."
    other = "," if point == "." else "."
    return Decimal(number.replace(other, "").replace(point, "."))


def cardinal(number: Decimal | int, language: str, form: Form = Form.COUNTING) -> str:
    """Return a number in words, "twenty-one", and a fraction digit by digit, "three point five".

    Only whole numbers agree with a noun, so fractions ignore ``form``.
    """
    if not -LARGEST < number < LARGEST:
        return digits(str(number), language)
    if "E" in str(number):
        # The library does not read exponents, which Python writes for very small numbers.
        whole, _, fraction = format(number, "f").partition(".")
        return f"{cardinal(int(whole), language)} {_POINT_NAMES[language]} {digits(fraction, language)}"
    found = _engine(language).format_number(number, FormatPurpose.CARDINAL).text_by_ruleset
    names = _NAMES[language]
    name = names.get(form if number == int(number) else Form.COUNTING, names[Form.COUNTING])
    return found.get(name) or next(iter(found.values()))


def ordinal(number: Decimal | int, language: str, form: Form = Form.COUNTING) -> str:
    """Return an ordinal in words: "twenty-first"."""
    if number >= LARGEST:
        return digits(str(number), language)
    names = _ORDINALS[language]
    found = _engine(language).format_number(number, FormatPurpose.ORDINAL).text_by_ruleset
    return found[names.get(form, names[Form.COUNTING])]


def year(number: int, language: str) -> str:
    """Return a year in words: "nineteen eighty-four"."""
    if language != "en":
        return cardinal(number, language)
    found = _engine(language).format_number(number, FormatPurpose.YEAR).text
    return found.replace("oh-", "oh ")


def digits(text: str, language: str) -> str:
    """Return digits one by one, "five five five", without other characters."""
    names = {sign: cardinal(int(sign), language) for sign in set(text) if sign.isdecimal()}
    return " ".join(names[sign] for sign in text if sign in names)
