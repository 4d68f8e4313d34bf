"""Times of day and durations in words."""

import re

from octavia.engines.spoken.words import Form, cardinal

_CLOCK = r"(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?(?![\d:])"
_ENGLISH = re.compile(rf"(?<![\w:.]){_CLOCK}(?P<half>\s?(?:[AaPp]\.?\s?[Mm]\b\.?))?")
_ENGLISH_HOUR = re.compile(r"(?<![\w:.])(?P<hour>1[0-2]|0?[1-9])(?P<half>\s?(?:[ap]\.?m\b\.?|[AP]\.?M\b\.?))")
_SPANISH_HALF = r"(?P<half>\s?(?:[ap]\.\s?m\.|[AP]M\b|[ap]m\b))"
_SPANISH = re.compile(rf"(?<![\w:.,]){_CLOCK}(?:{_SPANISH_HALF}|(?P<hours>\s?(?:horas|hs?\b\.?)))?")
_SPANISH_DOT = re.compile(
    r"(?<![\w:.,])(?P<hour>[01]?\d|2[0-4])[.h](?P<minute>[0-5]\d)(?P<second>)\s?(?P<half>)(?P<hours>horas|hs?\b\.?)"
)
_SPANISH_HOUR = re.compile(rf"(?<![\w:.,])(?P<hour>1[0-2]|0?[1-9]){_SPANISH_HALF}")

_SENTENCE_ENDS = re.compile(r"\s*$|\s+[A-ZÁÉÍÓÚÑ¿¡]")

_UNITS = {
    "en": (("hour", "hours"), ("minute", "minutes"), ("second", "seconds")),
    "es": (("hora", "horas"), ("minuto", "minutos"), ("segundo", "segundos")),
}
_AND = {"en": "and", "es": "y"}


def spoken(text: str, language: str) -> str:
    """Put times such as 10:30, 3 p.m. and 1:02:45 into words."""
    if language == "en":
        text = _ENGLISH.sub(_english, text)
        return _ENGLISH_HOUR.sub(lambda match: f"{cardinal(int(match['hour']), 'en')} {_english_half(match)}", text)
    text = _SPANISH.sub(_spanish, text)
    text = _SPANISH_DOT.sub(_spanish, text)
    return _SPANISH_HOUR.sub(lambda match: f"{_hour(int(match['hour']))} {_spanish_half(match)}", text)


def _english(match: re.Match[str]) -> str:
    hour, minute = int(match["hour"]), int(match["minute"])
    if match["second"]:
        return _duration(match, "en")
    said = cardinal(hour, "en")
    if minute:
        said += f" oh {cardinal(minute, 'en')}" if minute < 10 else f" {cardinal(minute, 'en')}"
    elif not match["half"]:
        said += " o'clock" if 1 <= hour <= 12 else " hundred"
    return f"{said} {_english_half(match)}" if match["half"] else said


def _english_half(match: re.Match[str]) -> str:
    return ("AM" if match["half"].strip()[0] in "Aa" else "PM") + _full_stop(match)


def _spanish(match: re.Match[str]) -> str:
    hour, minute = int(match["hour"]), int(match["minute"])
    if match["second"]:
        return _duration(match, "es")
    said = _hour(hour)
    if minute:
        said += f" y {cardinal(minute, 'es')}" if minute < 10 else f" {cardinal(minute, 'es')}"
    elif match["hours"]:
        said += " hora" if hour == 1 else " horas"
    return f"{said} {_spanish_half(match)}" if match["half"] else said


def _spanish_half(match: re.Match[str]) -> str:
    hour = int(match["hour"])
    evening = "de la tarde" if hour == 12 or hour < 8 else "de la noche"
    return ("de la mañana" if match["half"].strip()[0] in "Aa" else evening) + _full_stop(match)


def _full_stop(match: re.Match[str]) -> str:
    """Return the abbreviation's full stop if it also ends the sentence."""
    ends = _SENTENCE_ENDS.match(match.string, match.end())
    return "." if ends and match["half"].endswith(".") else ""


def _hour(hour: int) -> str:
    return cardinal(hour, "es", Form.FEMININE)


def _duration(match: re.Match[str], language: str) -> str:
    forms = (Form.FEMININE, Form.MASCULINE, Form.MASCULINE)
    values = (int(match["hour"]), int(match["minute"]), int(match["second"]))
    parts = [
        f"{cardinal(value, language, form)} {names[value != 1]}"
        for value, names, form in zip(values, _UNITS[language], forms, strict=True)
        if value
    ]
    if len(parts) < 2:
        return parts[0] if parts else match[0]
    return f"{', '.join(parts[:-1])} {_AND[language]} {parts[-1]}"
