"""Numbers that other modules leave: ordinals, fractions, ranges, telephone numbers, versions and plain numbers."""

import re
from decimal import Decimal

from octavia.engines.spoken.words import MINUS, NUMBERS, TO, Form, cardinal, digits, ordinal, value

_POINT = {"en": "point", "es": "punto"}
_PLUS = {"en": "plus", "es": "más"}

_FRACTIONS = {
    "en": {"½": "one half", "⅓": "one third", "⅔": "two thirds", "¼": "one quarter", "¾": "three quarters"},
    "es": {"½": "un medio", "⅓": "un tercio", "⅔": "dos tercios", "¼": "un cuarto", "¾": "tres cuartos"},
}
_AND_FRACTIONS = {
    "en": {"½": "and a half", "¼": "and a quarter", "¾": "and three quarters"},
    "es": {"½": "y medio", "¼": "y cuarto", "¾": "y tres cuartos"},
}
_SLASHED = {"1/2": "½", "1/3": "⅓", "2/3": "⅔", "1/4": "¼", "3/4": "¾"}
_SLASH = re.compile(r"(?<![\w/.,])(?:(\d+)\s)?(1/2|1/3|2/3|1/4|3/4)(?![\w/]|[.,]\d)")
_OVER = re.compile(r"(?<![\w/.,])(\d{1,3})/(\d{1,3})(?![\w/]|[.,]\d)")
_OVER_NAME = {"en": "over", "es": "partido por"}
_SIGN = re.compile(r"(?:(?<!\d)(\d++)\s?)?([½⅓⅔¼¾])")

_ENGLISH_ORDINAL = re.compile(r"(?<![\w.,])(\d{1,3}(?:,\d{3})+|\d+)(?:st|nd|rd|th)\b")
_SPANISH_ORDINAL = re.compile(r"(?<![\w.,])(\d{1,4})(?:\.?([ºª°oa])s?|\.?(er)\.?)(?!\w)")
_PHONE = re.compile(
    r"(?<![\w.,/-])(?:\+\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,5}|(?:\(\d{3}\) ?|\d{3}-)?\d{3}-\d{4})(?![\w-])"
)
_VERSION = {
    "en": re.compile(r"(?<![\w.,])([vV]?)(\d+(?:\.\d+){2,})(?![\w]|[.,]\d)"),
    # Three digits after each point are a number.
    "es": re.compile(r"(?<![\w.,])([vV]?)((?!\d{1,3}(?:\.\d{3})+(?![\d.]))\d+(?:\.\d+){2,})(?![\w]|[.,]\d)"),
}
_LEADING_ZERO = re.compile(r"(?<![\w.,])(?<!\d[ \u00a0\u202f])0\d+(?![\w]|[.,]\d)")
_BOUNDARY = re.compile(r"(?<=[^\W\d_])-?(?=\d)|(?<=\d)(?=[^\W\d_])")
_PLURAL = re.compile(r"(?P<feminine>as|ciones|siones|dades)$|s$")
_SINGULAR = re.compile(r"(?P<feminine>a|ción|sión|dad)$|$")
_MASCULINE_IN_A = ("días", "día", "problemas", "programas", "sistemas", "temas", "idiomas", "mapas", "planetas")
_YEAR_BEFORE = re.compile(r"\b(?:en|desde|hasta|año|años|de|del|hacia)\s$", re.IGNORECASE)
_BEFORE = len("desde \n")
_NOUN = re.compile(r" ([a-z]+)")
_SPANISH_NOUN = re.compile(r" ([a-záéíóúñ]+)")
_WORD = re.compile(r" ([^\W\d_]+)")
_NOT_NOUNS = """
    a al de del con contra desde e el en entre es está este fue ha hacia hasta la las le lo los mil millones millón
    menos más ni no o para pero por que se según si sin sobre son su su también u un una y ya
"""
_NO_NOUN = frozenset(_NOT_NOUNS.split())


def spoken(text: str, language: str) -> str:
    """Put all remaining numbers into words."""
    text = _PHONE.sub(lambda match: _phone(match[0], language), text)
    text = _SLASH.sub(lambda match: f"{match[1] or ''}{_SLASHED[match[2]]}", text)
    text = _SIGN.sub(lambda match: _fraction(match, language), text)
    text = _VERSION[language].sub(lambda match: f"{match[1]} {_version(match[2], language)}", text)
    text = _OVER.sub(
        lambda match: f"{cardinal(int(match[1]), language)} {_OVER_NAME[language]} {cardinal(int(match[2]), language)}",
        text,
    )
    if language == "en":
        text = _ENGLISH_ORDINAL.sub(lambda match: ordinal(Decimal(match[1].replace(",", "")), "en"), text)
    else:
        text = _SPANISH_ORDINAL.sub(_spanish_ordinal, text)
    text = _LEADING_ZERO.sub(lambda match: digits(match[0], language), text)
    return _PLAIN[language].sub(lambda match: _plain(match, language), _BOUNDARY.sub(" ", text))


def _fraction(match: re.Match[str], language: str) -> str:
    whole, sign = match[1], match[2]
    if whole and sign in _AND_FRACTIONS[language]:
        return f"{cardinal(Decimal(whole), language)} {_AND_FRACTIONS[language][sign]}"
    fraction = _FRACTIONS[language][sign]
    noun = _NOUN.match(match.string, match.end())
    if language == "es" and sign == "½" and noun and noun[1] not in _NO_NOUN:
        fraction = "media" if noun[1].endswith("a") else "medio"
    return f"{whole} {fraction}" if whole else fraction


def _phone(number: str, language: str) -> str:
    groups = [digits(group, language) for group in re.findall(r"\d+", number)]
    return ", ".join([f"{_PLUS[language]} {groups[0]}", *groups[1:]] if number.startswith("+") else groups)


def _version(number: str, language: str) -> str:
    return f" {_POINT[language]} ".join(cardinal(Decimal(part), language) for part in number.split("."))


def _spanish_ordinal(match: re.Match[str]) -> str:
    ending = match[2]
    if match[3]:
        form = Form.MASCULINE
    elif ending in ("ª", "a"):
        form = Form.FEMININE
    else:
        # Before its noun: primer, tercer.
        noun = _SPANISH_NOUN.match(match.string, match.end())
        form = Form.MASCULINE if noun and noun[1] not in _NO_NOUN else Form.COUNTING
    return ordinal(int(match[1]), "es", form)


_PLAIN = {
    language: re.compile(
        rf"(?:(?<![\w)])(?P<minus>[-−])(?=\d))?(?P<number>{number})"
        rf"(?:(?P<dash>\s?–\s?|-)(?P<last>{number}))?"
    )
    for language, number in NUMBERS.items()
}


def _plain(match: re.Match[str], language: str) -> str:
    number = value(match["number"], language)
    form = _form(match, number) if language == "es" else Form.COUNTING
    said = cardinal(number, language, form)
    if match["minus"]:
        said = f"{MINUS[language]} {said}"
    if match["last"]:
        last = value(match["last"], language)
        # "5-10" counts up, "3-2" is a result.
        between = f" {TO[language]} " if "–" in match["dash"] or last > number else " "
        said += between + cardinal(last, language, form)
    return said


def _form(match: re.Match[str], number: Decimal) -> Form:
    """Return the form of a Spanish number that agrees with the word after it."""
    after = _WORD.match(match.string, match.end())
    if after is None or after[1] in _NO_NOUN or not after[1].islower():
        return Form.COUNTING
    if 1000 < number < 2100 and _YEAR_BEFORE.search(match.string, max(0, match.start() - _BEFORE), match.start()):
        return Form.COUNTING
    noun = (_SINGULAR if number == 1 else _PLURAL).search(after[1])
    if noun is None:
        return Form.COUNTING
    return Form.FEMININE if noun["feminine"] and after[1] not in _MASCULINE_IN_A else Form.MASCULINE
