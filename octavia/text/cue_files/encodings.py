"""Bytes as text: Unicode in all its encodings, and older ones where the language makes them sure."""

import codecs
import re
import unicodedata
from itertools import chain
from typing import Final

from octavia.text.cue_files.cues import CueFormat, bad

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNICODE: Final = ("utf-8", "utf-16-le", "utf-16-be", "latin-1", *(encoding for _, encoding in _MARKS))
_WESTERN: Final = ("cp1252", "cp850", "mac_roman")
_CENTRAL: Final = ("cp1250", "iso8859_2", "cp852")
_CYRILLIC: Final = ("cp1251", "koi8_r", "koi8_u", "cp866")
_BALTIC: Final = ("cp1257", "iso8859_13")
_LATIN: Final = ("en", "es", "fr", "de", "it", "pt", "nl", "sv", "da", "no", "nb", "nn", "fi", "is", "ca", "gl", "eu")
ENCODINGS: Final = {
    **dict.fromkeys(_LATIN, _WESTERN),
    **dict.fromkeys(("pl", "cs", "sk", "hu", "sl", "hr", "bs"), _CENTRAL),
    "ro": ("cp1250",),
    "tr": ("cp1254",),
    **dict.fromkeys(("ru", "uk", "be", "bg", "mk"), _CYRILLIC),
    **dict.fromkeys(("lt", "lv", "et"), _BALTIC),
    "el": ("cp1253",),
    "he": ("cp1255",),
    "ja": ("cp932", "euc_jp"),
    "ko": ("cp949",),
}
"""The encodings in which people wrote a language before Unicode; only those that its letters tell apart."""

_ACCENTED: Final = "àâäáãåæçéèêëíìîïñóòôöõøœúùûüýÿß"
_LETTERS: Final = {
    "en": _ACCENTED,
    "es": "áéíóúüñªº",
    "fr": "àâæçéèêëîïôœùûüÿ",
    "de": "äöüßéàè",
    "it": "àèéìíîòóùúªº",
    "pt": "áâãàçéêíóôõúüªº",
    "nl": "áàäéëèêíïóöôúüû",
    "sv": "åäöéàü",
    **dict.fromkeys(("da", "no", "nb", "nn"), "æøåéèêóòôâäöü"),
    "fi": "äöåšžé",
    "is": "áðéíóúýþæö",
    "ca": "àçéèíïóòúü",
    "gl": "áéíóúüñï",
    "eu": "ñüç",
    "pl": "ąćęłńóśźż",
    "cs": "áčďéěíňóřšťúůýž",
    "sk": "áäčďéíĺľňóôŕšťúýž",
    "hu": "áéíóöőúüű",
    **dict.fromkeys(("sl", "hr", "bs"), "čćđšž"),
    "ro": "ăâîşţșț",
    "tr": "çğıöşüâîûİ",
    "ru": "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
    "uk": "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",
    "be": "абвгдеёжзійклмнопрстуўфхцчшыьэюя",
    "bg": "абвгдежзийклмнопрстуфхцчшщъьюя",
    "mk": "абвгдѓежзѕијклљмнњопрстќуфхцчџшѐѝ",
    "lt": "ąčęėįšųūž",
    "lv": "āčēģīķļņšūž",
    "et": "äöõüšž",
    "el": "αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώϊϋΐΰ",
    "he": "אבגדהוזחטיךכלםמןנסעףפץצקרשת",
}
"""The letters of each language beside a to z."""

_SAMPLE: Final = f"Words. {' '.join(_LETTERS.values())} あ日本 한국어 "

_BLOCKS: Final = {"ja": ("CJK UNIFIED", "HIRAGANA", "KATAKANA", "IDEOGRAPHIC"), "ko": ("HANGUL SYLLABLE",)}
_SIGNS: Final = frozenset("¡¿«»‹›“”„‘’‚…–—°€£§©®·•\xa0\xad♪、。「」『』？！・ー～（）：％　，")
_WHOLE_WORDS: Final = frozenset("¡¿«»‹›“”„‘‚…°€£§©®•\xa0♪")
_DASHES: Final = frozenset("–—")
_SIGN_INSIDE: Final = re.compile(rf"[^\W\d_][{''.join(_WHOLE_WORDS)}][^\W\d_]")
_DASH_INSIDE: Final = re.compile(rf"[^\W\d_][{''.join(_DASHES)}][^\W\d_]")


def load() -> None:
    """Load what is otherwise loaded when it is first needed, for a process that can open no file then."""
    for name in sorted({*_UNICODE, *chain.from_iterable(ENCODINGS.values())}):
        codecs.lookup(name)
        _likeliest(_SAMPLE.encode(name, "ignore"), [name])


def unmarked(data: bytes) -> str | None:
    """Return the Unicode encoding of bytes, by their mark, else by the zeros of UTF-16 in Latin text, else UTF-8.

    Returns:
      None if they are in none of these. The bytes may be the beginning of a file, cut anywhere.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding
    low, high = data[1::2].count(0), data[::2].count(0)
    if max(low, high) > 4 * min(low, high) and max(low, high) * 8 > len(data):
        return "utf-16-le" if low > high else "utf-16-be"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return None
    return "utf-8"


def beginning(head: bytes) -> str:
    """Return the first bytes of any file as text, to recognise its format by; what is no text becomes U+FFFD."""
    return head.decode(unmarked(head) or "latin-1", "replace").removeprefix("\ufeff")


def decoded(data: bytes, format: CueFormat, language: str | None) -> str:
    """Return a file as text.

    Parameters:
      language: The language of the text, ISO 639-1; with it, older encodings than Unicode are read too.

    Raises:
      InputError: ``bad_subtitles``: the encoding is none of these, or not sure.
    """
    encoding = unmarked(data)
    try:
        text = data.decode(encoding) if encoding else _older(data, language)
    except UnicodeDecodeError:
        text = None
    if text is None:
        what = "it is not in Unicode (UTF-8 or UTF-16), and its encoding cannot be told for sure"
        raise bad(format, what, hint="Convert it to UTF-8, for example: iconv -f windows-1252 -t utf-8.")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise bad(format, f"line {line} contains a NUL character", hint="Send a text file.")
    return text.removeprefix("\ufeff")


def _older(data: bytes, language: str | None) -> str | None:
    """Return text in an encoding of its language, if only that language's letters come out of it; else None."""
    fitting = [name for name in ENCODINGS.get(language or "", ()) if _fits(data, name, language or "")]
    texts = {data.decode(name) for name in fitting}
    if len(texts) == 1:
        return texts.pop()
    # Several read like the language: the one that looks like it.
    name = _likeliest(data, fitting) if texts else None
    return data.decode(name) if name else None


def _likeliest(data: bytes, encodings: list[str]) -> str | None:
    # Imported only now: most files are Unicode.
    from charset_normalizer import from_bytes

    found = from_bytes(data, cp_isolation=encodings, enable_fallback=False).best()
    return found.encoding if found else None


def _fits(data: bytes, encoding: str, language: str) -> bool:
    """Return True if a decoder gives only letters of the language, and signs where none splits a word."""
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return False
    lower = _LETTERS.get(language, "")
    upper, blocks = "".join(set(lower.upper()) - {*lower, "I"}), _BLOCKS.get(language, ())
    signs = set(text)
    known = all(
        sign.isascii()
        or sign in lower
        or sign in upper
        or sign in _SIGNS
        or (bool(blocks) and unicodedata.name(sign, "").startswith(blocks))
        for sign in signs
    )
    # Letters that stand where they may not would be others in another encoding.
    return known and not (
        (signs & _WHOLE_WORDS and _SIGN_INSIDE.search(text))
        or (language != "en" and signs & _DASHES and _DASH_INSIDE.search(text))
        or (signs & set(upper) and re.search(f"[a-z{lower}][{upper}]", text))
    )
