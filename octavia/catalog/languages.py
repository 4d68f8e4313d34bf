"""Turn the language tags and names that people write into the ISO 639-1 codes that the rest of Octavia uses."""

import difflib

from octavia.errors import InputError

NAMES = {
    "af": "Afrikaans", "am": "Amharic", "ar": "Arabic", "as": "Assamese", "az": "Azerbaijani", "ba": "Bashkir",
    "be": "Belarusian", "bg": "Bulgarian", "bn": "Bengali", "bo": "Tibetan", "br": "Breton", "bs": "Bosnian",
    "ca": "Catalan", "cs": "Czech", "cy": "Welsh", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian", "fi": "Finnish", "fo": "Faroese",
    "fr": "French", "ga": "Irish", "gl": "Galician", "gu": "Gujarati", "ha": "Hausa", "haw": "Hawaiian",
    "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "ht": "Haitian Creole", "hu": "Hungarian", "hy": "Armenian",
    "id": "Indonesian", "is": "Icelandic", "it": "Italian", "ja": "Japanese", "jv": "Javanese", "ka": "Georgian",
    "kk": "Kazakh", "km": "Khmer", "kn": "Kannada", "ko": "Korean", "la": "Latin", "lb": "Luxembourgish",
    "ln": "Lingala", "lo": "Lao", "lt": "Lithuanian", "lv": "Latvian", "mg": "Malagasy", "mi": "Maori",
    "mk": "Macedonian", "ml": "Malayalam", "mn": "Mongolian", "mr": "Marathi", "ms": "Malay", "mt": "Maltese",
    "my": "Burmese", "ne": "Nepali", "nl": "Dutch", "nn": "Norwegian Nynorsk", "no": "Norwegian", "oc": "Occitan",
    "pa": "Punjabi", "pl": "Polish", "ps": "Pashto", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian",
    "sa": "Sanskrit", "sd": "Sindhi", "si": "Sinhala", "sk": "Slovak", "sl": "Slovenian", "sn": "Shona",
    "so": "Somali", "sq": "Albanian", "sr": "Serbian", "su": "Sundanese", "sv": "Swedish", "sw": "Swahili",
    "ta": "Tamil", "te": "Telugu", "tg": "Tajik", "th": "Thai", "tk": "Turkmen", "tl": "Tagalog", "tr": "Turkish",
    "tt": "Tatar", "uk": "Ukrainian", "ur": "Urdu", "uz": "Uzbek", "vi": "Vietnamese", "yi": "Yiddish",
    "yo": "Yoruba", "yue": "Cantonese", "zh": "Chinese",
}  # fmt: skip
"""English names of the languages that the catalogued models know, by code."""

_BY_NAME = {name.lower(): code for code, name in NAMES.items()} | {"bokmål": "no", "mandarin": "zh"}
_SAME = {"nb": "no", "fil": "tl", "cmn": "zh"}  # Whisper and the translation models know only one of each


def normalize(tag: str, *, field: str | None = None) -> str:
    """Return the ISO 639-1 code (639-3 if it has none) of a language given as a tag or by its English name.

    ``es-MX``, ``ES``, ``spa`` and ``Spanish`` all give ``es``: the models tell regions apart by voice, not by tag.

    Parameters:
      field: The request field to name in the error.

    Raises:
      InputError: ``unknown_language``; the hint suggests the nearest known language.
    """
    text = tag.strip()
    if code := _BY_NAME.get(text.lower()):
        return code
    if text in NAMES:
        return text
    # Imported only for other tags: its tables take longer to import than a sentence to translate.
    import langcodes

    try:
        language = langcodes.get(text)
    except ValueError:
        language = None
    if language is not None and language.language and language.is_valid() and language.language != "und":
        return _SAME.get(language.language, language.language)
    hint = "Give an ISO 639 code such as en or es, or the language's English name."
    if near := difflib.get_close_matches(text.lower(), [*_BY_NAME, *NAMES], n=1, cutoff=0.6):
        code = _BY_NAME.get(near[0], near[0])
        hint = f"Did you mean {code} ({name(code)})?"
    raise InputError(f"There is no language {tag!r}.", code="unknown_language", field=field, hint=hint)


def name(code: str) -> str:
    """Return the English name of a language code; an unknown code is returned as it is."""
    return NAMES.get(code, code)
