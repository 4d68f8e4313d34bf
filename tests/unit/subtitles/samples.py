"""Words as recognisers give them, and as they should not."""

import math
from collections.abc import Iterable
from itertools import accumulate

from hypothesis import strategies as st

from octavia.text.utterances import Utterance
from octavia.text.words import Word

MARKUP = [
    "a --> b",
    "00:00:01,000 --> 00:00:02,000",
    "<b>bold</b> & <i>5 < 6</i> &amp; ]]>",
    "<00:00:01.000><c.red>c</c> <v Bob>",
    "{\\an8}up {y:i} {plain} {\\b1",
    "C:\\New\\nothing\\hard \\{x\\}",
    "שלום עולם",
    "line one\nline two\n\n\nline three",
    "42",
    "-->",
    "nul\x00and bell\x07",
    "NOTE this STYLE WEBVTT",
    "Dialogue: 0,0:00:00.00,,,",
    "<!-- no --> <p begin='0s'/> <![CDATA[x]]>",
]

WORDS = ["a", "I", "we", "word,", "said.", "longer", "and", "which", "incomprehensibility", "no;", "Mr.", "well-known"]
LETTERS = ["字", "語、", "は", "ッ", "。", "「今」", "Python", "คำ", "ເດັກ", "ខ្មែរ"]


def said(text: str, start: float = 0.0, end: float = 4.0, **more: object) -> Utterance:
    return Utterance(f"0-{int(start * 10)}", 0, start, end, text, **more)  # type: ignore[arg-type]


def heard(words: Iterable[tuple[str, float, float]], **more: object) -> Utterance:
    """An utterance of words with their times."""
    known = tuple(Word(start, end, f" {text}", 1.0) for text, start, end in words)
    text = " ".join(word.text.strip() for word in known)
    return said(text, known[0].start, max(word.end for word in known), words=known, **more)


@st.composite
def speech(draw: st.DrawFn, texts: list[str] = WORDS, longest: int = 12) -> list[Utterance]:
    """A few utterances, as fast or as slow as people speak, with pauses."""
    found: list[Utterance] = []
    now = 0
    for count in draw(st.lists(st.integers(1, longest), min_size=1, max_size=3)):
        words = draw(st.lists(st.sampled_from(texts), min_size=count, max_size=count))
        steps = draw(st.lists(st.tuples(st.integers(0, 60), st.integers(8, 90)), min_size=count, max_size=count))
        ends = [now + end for end in accumulate(pause + length for pause, length in steps)]
        spans = [(end - length, end) for end, (_, length) in zip(ends, steps, strict=True)]
        found.append(heard((word, a / 100, b / 100) for word, (a, b) in zip(words, spans, strict=True)))
        now = ends[-1] + draw(st.sampled_from([0, 10, 50, 130, 400]))
    return found


@st.composite
def nonsense(draw: st.DrawFn) -> list[Utterance]:
    """Utterances whose words have any times, or none, and any letters."""
    times = st.floats(-5, 60) | st.just(3.0)
    unsure = times | st.just(math.nan)
    letters = st.text(max_size=12) | st.sampled_from([*WORDS, *LETTERS, "x" * 60])
    found: list[Utterance] = []
    for _ in range(draw(st.integers(0, 4))):
        start, end = draw(times), draw(times)
        words = tuple(Word(*draw(st.tuples(unsure, unsure, letters)), 1.0) for _ in range(draw(st.integers(0, 30))))
        text = "".join(word.text for word in words) if draw(st.booleans()) else draw(st.text(max_size=200))
        found.append(said(text, start, end, words=words, translation=draw(st.none() | st.text(max_size=200))))
    return found
