"""Addresses, files, handles and tags as they are read aloud: "example dot com slash docs"."""

import re
from typing import NamedTuple

from octavia.engines.literals import Kind, Literal, literals
from octavia.engines.replacements import Replacement, Replacer, replaced


class _Signs(NamedTuple):
    dot: str = ""
    slash: str = ""
    at: str = ""
    hyphen: str = ""
    underscore: str = ""
    hashtag: str = ""

    def replacer(self) -> Replacer:
        """Return the replacer of signs by their names."""
        names = {".": self.dot, "/": self.slash, "\\": self.slash, "@": self.at, "-": self.hyphen, "_": self.underscore}
        return Replacer((re.escape(sign), f" {name} ") for sign, name in names.items())


_SIGNS = {
    "de": _Signs("Punkt", "Schrägstrich", "at", "Bindestrich", "Unterstrich", "Hashtag"),
    "en": _Signs("dot", "slash", "at", "dash", "underscore", "hashtag"),
    "es": _Signs("punto", "barra", "arroba", "guion", "guion bajo", "hashtag"),
    "fr": _Signs("point", "slash", "arobase", "tiret", "tiret bas", "hashtag"),
    "hi": _Signs("डॉट", "स्लैश", "ऐट", "डैश", "अंडरस्कोर", "हैशटैग"),
    "it": _Signs("punto", "barra", "chiocciola", "trattino", "trattino basso", "hashtag"),
    "pt": _Signs("ponto", "barra", "arroba", "hífen", "sublinhado", "hashtag"),
}
_SILENT = _Signs()
"""Signs in other languages: not spoken."""

_REPLACERS = {signs: signs.replacer() for signs in (*_SIGNS.values(), _SILENT)}

_SCHEME = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)?(?://)?(?:www\.)?", re.IGNORECASE)
_UNSAID = re.compile(r"[?#].*$", re.DOTALL)
_CASE = re.compile(r"(?<=[a-z])(?=[A-Z])")


def spoken(text: str, language: str) -> str:
    """Put the signs of literals into words; queries and fragments of addresses are not read."""
    signs = _SIGNS.get(language, _SILENT)
    return replaced(text, (Replacement(found.start, found.end, _said(found, signs)) for found in literals(text)))


def _said(literal: Literal, signs: _Signs) -> str:
    text = literal.text
    match literal.kind:
        case Kind.URL | Kind.EMAIL:
            text = _UNSAID.sub("", _SCHEME.sub("", text)).rstrip("/")
        case Kind.HANDLE:
            text = _CASE.sub(" ", text)
        case Kind.TAG:
            return f"{signs.hashtag} {_CASE.sub(' ', text[1:].replace('_', ' '))}".strip()
    return " ".join(_REPLACERS[signs](text).split())
