"""Dates and years in words."""

import re

from octavia.engines.spoken.words import TO, Form, cardinal, ordinal, year

_MONTH_NAMES = {
    "en": "January February March April May June July August September October November December",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
}
_MONTHS = {language: names.split() for language, names in _MONTH_NAMES.items()}
_SHORT = {
    language: {name[:3]: number for number, name in enumerate(names, 1) if len(name) > 3}
    for language, names in _MONTHS.items()
}
_SHORT["en"] |= {"Sept": 9}
_SHORT["es"] |= {"sept": 9, "setiembre": 9}

_YEAR = r"(?P<year>1\d{3}|20\d{2})(?!\d|[.,]\d)"
_DAY = r"(?P<day>0?[1-9]|[12]\d|3[01])"

_ISO = re.compile(rf"(?<![\w-]){_YEAR}-(?P<month>0[1-9]|1[0-2])-{_DAY}(?!\d|-\d)")
_NUMERIC = re.compile(r"(?<![\w./-])(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})(?![\w/-]|[.,]\d)")


def _month_names(language: str) -> str:
    short = "|".join(rf"{name}(?:\.|(?=\s))" for name in sorted(_SHORT[language], key=len, reverse=True))
    return rf"(?P<month>{'|'.join(_MONTHS[language])}|{short})"


_NAMED = {
    "en": (
        re.compile(rf"\b{_month_names('en')} {_DAY}(?:st|nd|rd|th)?\b(?!:\d|[.,]\d|%)(?:,? {_YEAR})?"),
        re.compile(rf"(?<![\w.,:]){_DAY}(?:st|nd|rd|th)? (?:of )?{_month_names('en')}(?:,? {_YEAR})?(?!\w)"),
    ),
    "es": (
        re.compile(
            rf"(?<![\w.,:]){_DAY}(?:\.?º)? (?:de )?{_month_names('es')}(?:(?P<of>,? (?:del? )?){_YEAR})?(?!\w)",
            re.IGNORECASE,
        ),
    ),
}
_ENGLISH_YEAR = re.compile(
    r"\b(?P<before>(?:[Ii]n|[Ss]ince|[Uu]ntil|[Tt]ill|[Bb]y|[Ff]rom|[Oo]f|[Aa]fter|[Bb]efore|[Dd]uring|[Aa]round|[Cc]irca|"
    r"[Yy]ear|[Ss]ummer|[Ww]inter|[Ss]pring|[Aa]utumn|[Ff]all|[Tt]o|[Aa]nd|[Ll]ate|[Ee]arly|"
    rf"{'|'.join(_MONTHS['en'])}) )(?P<year>1[1-9]\d{{2}}|20\d{{2}})"
    r"(?!\d|[.,:]\d|%| ?(?:million|thousand|[a-z]+s\b))"
)
_YEAR_ALONE = re.compile(r"(?<=\()(?P<year>1[1-9]\d{2}|20\d{2})(?=\))")
_YEARS = re.compile(r"(?<![\w.,-])(?P<first>1[1-9]\d{2}|20\d{2})\s?[-–]\s?(?P<last>1[1-9]\d{2}|20\d{2}|\d{2})(?![\w-])")
_DECADE = re.compile(r"(?<![\w.,])(?P<century>1[1-9]|20)?(?P<apostrophe>['’])?(?P<decade>\d)0['’]?s(?!\w)")
_TENS = ("", "teens", "twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties")


def spoken(text: str, language: str) -> str:
    """Put dates, years and decades into words."""
    text = _ISO.sub(lambda match: _said(match["year"], int(match["month"]), match["day"], language), text)
    text = _NUMERIC.sub(lambda match: _numeric(match, language), text)
    for pattern in _NAMED[language]:
        text = pattern.sub(lambda match: _named(match, language), text)
    text = _YEARS.sub(lambda match: _range(match, language), text)
    if language == "en":
        text = _DECADE.sub(_decade, text)
        text = _ENGLISH_YEAR.sub(lambda match: match["before"] + year(int(match["year"]), "en"), text)
        text = _YEAR_ALONE.sub(lambda match: year(int(match["year"]), "en"), text)
    return text


def _said(of_year: str | None, month: int, day: str, language: str) -> str:
    name = _MONTHS[language][month - 1]
    number = int(day)
    if language == "en":
        said = f"{name} {ordinal(number, 'en')}"
        return f"{said}, {year(int(of_year), 'en')}" if of_year else said
    said = f"{'primero' if number == 1 else cardinal(number, language)} de {name}"
    return f"{said} de {year(int(of_year), language)}" if of_year else said


def _named(match: re.Match[str], language: str) -> str:
    month = match["month"].removesuffix(".")
    names = {name.casefold(): place for place, name in enumerate(_MONTHS[language], 1)}
    names |= {name.casefold(): place for name, place in _SHORT[language].items()}
    return _said(match["year"], names[month.casefold()], match["day"], language)


def _numeric(match: re.Match[str], language: str) -> str:
    first, second, of_year = int(match[1]), int(match[3]), match[4]
    month, day = (first, second) if language == "en" and match[2] != "." else (second, first)
    if month > 12:
        month, day = day, month
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    if len(of_year) == 2:
        # "1.2.30" may also be a version.
        if match[2] == ".":
            return match[0]
        of_year = f"{'20' if int(of_year) < 70 else '19'}{of_year}"
    return _said(of_year, month, str(day), language)


def _range(match: re.Match[str], language: str) -> str:
    first, last = match["first"], match["last"]
    whole = first[:2] + last if len(last) == 2 else last
    if int(whole) <= int(first):
        return match[0]
    said = cardinal(int(last), language, Form.COUNTING) if len(last) == 2 else year(int(last), language)
    return f"{year(int(first), language)} {TO[language]} {said}"


def _decade(match: re.Match[str]) -> str:
    decade, century = int(match["decade"]), match["century"]
    if not century:
        return _TENS[decade] or match[0]
    if decade == 0:
        return "two thousands" if century == "20" else f"{cardinal(int(century), 'en')} hundreds"
    return f"{cardinal(int(century), 'en')} {_TENS[decade]}"
