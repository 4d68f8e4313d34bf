"""Encodings of subtitle files: Unicode with and without marks, and older ones where the language makes them sure."""

import pytest

from octavia.errors import InputError
from tests.support.given_cues import given

SAID = {
    "en": "It’s a café — “nice”. He said—no.",
    "es": "¿Dónde está el niño? Mañana, señor.",
    "fr": "Où est l’élève ? Ça va, cœur…",
    "de": "Grüße, schön. Das heißt „ja“.",
    "pt": "Não, amanhã às três. Coração",
    "sv": "Var är pojken? Å, nej.",
    "cs": "Žluťoučký kůň úpěl ďábelské ódy.",
    "pl": "Gdzie jest chłopiec? Żółć i źdźbło.",
    "tr": "Şu çocuk güzel. İstanbul, ığdır",
    "ru": "Где мальчик? Завтра будет другой день.",
    "uk": "Де хлопчик? Її тут немає.",
    "el": "Πού είναι το παιδί; Άλλη μέρα.",
    "he": "איפה הילד?",
    "ja": "男の子はどこですか。",
    "ko": "소년은 어디에 있습니까?",
}
OLDER = {
    "cp1252": ("en", "es", "fr", "de", "pt", "sv"),
    "mac_roman": ("es", "fr", "de", "sv"),
    "cp1250": ("cs", "pl"),
    "iso8859_2": ("cs", "pl"),
    "cp1251": ("ru", "uk"),
    "koi8_u": ("ru", "uk"),
    "cp1253": ("el",),
    "cp1254": ("tr",),
    "cp1255": ("he",),
    "cp932": ("ja",),
    "cp949": ("ko",),
}


def srt(text: str) -> str:
    return f"1\n00:00:01,000 --> 00:00:02,500\n{text}\n"


@pytest.mark.parametrize(("encoding", "language"), [(name, one) for name, all in OLDER.items() for one in all])
def test_older_encodings_are_read_in_their_languages(encoding: str, language: str) -> None:
    data = srt(SAID[language]).encode(encoding)
    assert given(data, language=language).cues[0].text == SAID[language]


@pytest.mark.parametrize(
    ("data", "language"),
    [
        (srt(SAID["es"]).encode("cp1252"), None),
        (srt(SAID["es"]).encode("cp1252"), "zh"),
        (srt(SAID["es"]).encode("cp1252"), "ru"),
        (srt(SAID["ru"]).encode("cp1251"), "es"),
        (srt("Un ðía").encode("latin-1"), "es"),
        (srt("se\x96or").encode("latin-1") + "ñ".encode("cp1252"), "es"),
    ],
)
def test_what_is_not_sure_is_refused(data: bytes, language: str | None) -> None:
    with pytest.raises(InputError, match="SubRip: it is not in Unicode") as refused:
        given(data, language=language)
    assert (refused.value.code, "iconv" in refused.value.hint) == ("bad_subtitles", True)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("language", ["es", "ja"])
def test_unicode_is_read_with_and_without_a_mark(encoding: str, language: str) -> None:
    data = srt(SAID[language]).encode(encoding)
    assert given(data).cues[0].text == SAID[language]
