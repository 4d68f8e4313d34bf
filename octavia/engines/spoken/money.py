"""Amounts of money in words: "$3.50", "12 €", "£1.5 million"."""

import re
from decimal import Decimal
from typing import NamedTuple

from octavia.engines.spoken.words import LARGEST, MINUS, NUMBERS, Form, cardinal, value


class _Currency(NamedTuple):
    one: str
    many: str
    cent: str
    cents: str
    form: Form = Form.MASCULINE


_PENNY = ("penny", "pence")
_CENT = ("cent", "cents")
_CENTIMO = ("céntimo", "céntimos")
_CENTAVO = ("centavo", "centavos")
_PENIQUE = ("penique", "peniques")
_NAMES: dict[str, dict[str, _Currency]] = {
    "en": {
        "$": _Currency("dollar", "dollars", *_CENT),
        "€": _Currency("euro", "euros", *_CENT),
        "£": _Currency("pound", "pounds", *_PENNY),
        "¥": _Currency("yen", "yen", "sen", "sen"),
        "₹": _Currency("rupee", "rupees", "paisa", "paise"),
        "USD": _Currency("US dollar", "US dollars", *_CENT),
        "GBP": _Currency("pound", "pounds", *_PENNY),
        "CHF": _Currency("Swiss franc", "Swiss francs", *_CENT),
        "MXN": _Currency("Mexican peso", "Mexican pesos", *_CENTAVO),
    },
    "es": {
        "$": _Currency("dólar", "dólares", *_CENTAVO),
        "€": _Currency("euro", "euros", *_CENTIMO),
        "£": _Currency("libra", "libras", *_PENIQUE, Form.FEMININE),
        "¥": _Currency("yen", "yenes", "sen", "senes"),
        "₹": _Currency("rupia", "rupias", "paisa", "paisas", Form.FEMININE),
        "USD": _Currency("dólar estadounidense", "dólares estadounidenses", *_CENTAVO),
        "GBP": _Currency("libra esterlina", "libras esterlinas", *_PENIQUE, Form.FEMININE),
        "CHF": _Currency("franco suizo", "francos suizos", *_CENTIMO),
        "MXN": _Currency("peso mexicano", "pesos mexicanos", *_CENTAVO),
    },
}
_ALIASES = {"US$": "$", "U$S": "$", "EUR": "€", "JPY": "¥"}
_SCALES = {
    "en": {"thousand": "thousand", "million": "million", "billion": "billion", "trillion": "trillion"}
    | {"k": "thousand", "K": "thousand", "m": "million", "M": "million", "bn": "billion", "B": "billion"},
    "es": {"mil": "mil", "millón": "millón", "millones": "millones", "M": "millones", "mil millones": "mil millones"}
    | {"billón": "billón", "billones": "billones"},
}
_AND = {"en": "and", "es": "con"}


def spoken(text: str, language: str) -> str:
    """Put amounts into words, with the currency after the number."""
    return _PATTERNS[language].sub(lambda match: _said(match, language), text)


def _said(match: re.Match[str], language: str) -> str:
    groups = match.groupdict()
    number = groups["after_sign"] or groups["before_sign"]
    sign = str(groups["sign"] or groups["sign_after"])
    scale = groups["scale"] or groups["scale_before"]
    currency = _NAMES[language][_ALIASES.get(sign, sign)]
    amount = value(number, language)
    minus = f"{MINUS[language]} " if groups["minus"] else ""
    if scale:
        word = _SCALES[language][scale]
        if language == "en":
            return f"{minus}{cardinal(amount, language)} {word} {currency.many}"
        of = "" if word == "mil" else "de "
        return f"{minus}{cardinal(amount, language, Form.MASCULINE)} {word} {of}{currency.many}"
    return minus + _whole_and_cents(number, amount, currency, language)


def _whole_and_cents(number: str, amount: Decimal, currency: _Currency, language: str) -> str:
    if amount >= LARGEST:
        return f"{cardinal(amount, language)} {currency.many}"
    whole = int(amount)
    hundredths = (amount - whole) * 100
    if hundredths != int(hundredths):
        return f"{cardinal(amount, language)} {currency.many}"
    of = "de " if language == "es" and whole and whole % 1_000_000 == 0 else ""
    said = f"{cardinal(whole, language, currency.form)} {of}{currency.one if whole == 1 else currency.many}"
    if not hundredths:
        return said
    cents = int(hundredths)
    part = f"{cardinal(cents, language, Form.MASCULINE)} {currency.cent if cents == 1 else currency.cents}"
    return f"{said} {_AND[language]} {part}" if whole else part


def _pattern(language: str) -> re.Pattern[str]:
    signs = "|".join(re.escape(sign) for sign in sorted([*_NAMES[language], *_ALIASES], key=len, reverse=True))
    scales = "|".join(sorted(_SCALES[language], key=len, reverse=True))
    number = NUMBERS[language]
    return re.compile(
        rf"(?:(?<![\w.])(?P<minus>[-−])\s?)?(?:(?<!\w)(?P<sign>{signs})\s?(?P<after_sign>{number})"
        rf"(?:\s?(?P<scale>{scales})(?!\w))?"
        rf"|(?<![\w.,])(?P<before_sign>{number})(?:\s?(?P<scale_before>{scales})(?:\s(?:de\s)?|(?=[$€£])))?\s?"
        rf"(?P<sign_after>{signs})(?!\w))"
    )


_PATTERNS = {language: _pattern(language) for language in _NAMES}
