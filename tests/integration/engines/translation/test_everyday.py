"""Everyday sentences, as people say them."""

import re
import tomllib
from pathlib import Path

from octavia.engines import load
from octavia.engines.types import Translator

FLOOR = 34
"""The fewest of the forty sentences that must be right; a better model raises it."""

_TABLE: dict[str, dict[str, list[str]]] = tomllib.loads(Path(__file__).with_name("everyday.toml").read_text())
_SIGNS = {"(": "(?:", ")": ")", "|": "|", "[": "(?:", "]": ")?"}


def test_everyday_sentences_come_out_as_people_say_them(spanish: Translator) -> None:
    # Given forty sentences, each with what people say for it in Spanish
    said = {english: answers for group in _TABLE.values() for english, answers in group.items()}
    assert len(said) == 40
    # When they are translated
    found = dict(zip(said, load.keeping(spanish, {}, source="en").translate(list(said)), strict=True))
    # Then enough are right, the greeting among them
    wrong = {english: spanish for english, spanish in found.items() if not _is_right(spanish, said[english])}
    print(f"{len(said) - len(wrong)} of {len(said)} are right; wrong: {wrong}")
    assert found["Good morning."] == "Buenos días."
    assert len(said) - len(wrong) >= FLOOR, wrong


def _is_right(translation: str, answers: list[str]) -> bool:
    patterns = ("".join(_SIGNS.get(sign, re.escape(sign)) for sign in _bare(answer)) for answer in answers)
    return any(re.fullmatch(pattern, _bare(translation)) for pattern in patterns)


def _bare(text: str) -> str:
    return re.sub(r"[¡!.]", "", text).strip().casefold()
