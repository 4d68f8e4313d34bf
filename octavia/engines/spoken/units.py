"""Quantities with their units in words: "5 km/h", "21 °C", "30%"."""

import re
import tomllib
from importlib.resources import files
from typing import NamedTuple

from octavia.engines.spoken.words import MINUS, NUMBERS, TO, Form, cardinal, value


class _Unit(NamedTuple):
    one: str
    many: str
    form: Form = Form.MASCULINE
    """The form of a Spanish number before it."""


def _read() -> dict[str, dict[str, _Unit]]:
    tables = tomllib.loads(files(__package__).joinpath("units.toml").read_text(encoding="utf-8"))
    return {
        language: {short: _Unit(one, many, *map(Form, form)) for short, (one, many, *form) in table.items()}
        for language, table in tables.items()
    }


_UNITS = _read()
"""By language and abbreviation."""

_SPACED = ("s", "x", "t", "h")
"""Abbreviations that need a space before them: "the 90s" are not seconds."""


def _pattern(language: str) -> re.Pattern[str]:
    units = sorted(_UNITS[language], key=len, reverse=True)
    glued = "|".join(re.escape(unit) for unit in units if unit not in _SPACED)
    spaced = "|".join(re.escape(unit) for unit in units if unit in _SPACED)
    number = NUMBERS[language]
    return re.compile(
        rf"(?<![\w.,])(?P<minus>[-−])?(?:(?P<from>{number})\s?[-–]\s?)?(?P<number>{number})"
        rf"(?:[ \u00a0\u202f-]?(?P<unit>{glued})|[ \u00a0\u202f](?P<spaced>{spaced}))(?!\w|/\w)"
    )


_PATTERNS = {language: _pattern(language) for language in _UNITS}


def spoken(text: str, language: str) -> str:
    """Put a number before a unit, and the unit, into words; "5-10 km" becomes a range."""
    return _PATTERNS[language].sub(lambda match: _said(match, language), text)


def _said(match: re.Match[str], language: str) -> str:
    one, many, form = _UNITS[language][match["unit"] or match["spaced"]]
    amount = value(match["number"], language)
    said = f"{cardinal(amount, language, form)} {one if amount == 1 else many}"
    if match["from"]:
        said = f"{cardinal(value(match['from'], language), language, form)} {TO[language]} {said}"
    return f"{MINUS[language]} {said}" if match["minus"] else said
