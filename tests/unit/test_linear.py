"""Every function that takes strangers' text needs time in proportion to its length, whatever the text.

Each is called with long runs of texts that are known to be hard, once and at twice the length. The table below is
complete: a new public function of these rooms fails ``test_no_function_is_forgotten`` until it has a place.
"""

import importlib
import inspect
import pkgutil
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest

from octavia import subtitles as files
from octavia.engines import characters, literals, repetition, replacements, spoken
from octavia.engines.recognition import guards, word_times
from octavia.engines.spoken import abbreviations, addresses, dates, markup, money, numbers, scripts, times, units
from octavia.engines.spoken import words as spoken_words
from octavia.engines.translation import clauses as pieces_of_sentences
from octavia.engines.translation import names, placeholders, spelling
from octavia.engines.translation import numbers as kept_numbers
from octavia.engines.translation.glossary import Glossary
from octavia.engines.translation.keeping import KeepingTranslator
from octavia.subtitles import clauses, cueing, cues, formats
from octavia.subtitles.cues import Cue, Line, Subtitles
from octavia.subtitles.layout import Layout
from octavia.subtitles.streams import Stream
from octavia.subtitles.units import Unit, units_of
from octavia.text import dialogue, edits, filenames, joiner, line_ends, lines, non_speech, sentences
from octavia.text import utterances as utterances_of
from octavia.text.transcripts import Transcript
from octavia.text.utterances import Utterance
from octavia.text.words import Segment, Word

ROOMS = ("octavia.text", "octavia.subtitles", "octavia.engines")
# Readers of whole files have tests of their own, with files in place of runs.
ELSEWHERE = ("octavia.text.cue_files",)

RUNS = (
    *("e.g. ", "a.b. ", "a@b. ", "Dr. ", "M. ", "a. B. ", "1. ", "1.", "1,", "1 ", "1", "0.1;", "1½ ", "1:02 ", "1º "),
    *(". ", ".", "...", "… ", "! ", "?", ", ", ",", "; ", "- ", "-", "— ", "( ", "(", ")", "[a] ", "(a) ", "*", "♪ "),
    *('"', '" ', "'", "« ", "«", "“", "」", " ", "\n", "\n\n", "a\n", "\u00a0", "\u200b", "\u200f", "\u0301"),
    *("http://", "http://a.b ", "a.com ", "@a ", "#a ", "/a", "a", "a ", "A b ", "Ab cd ", "a b, ", "x Abc ", "ñ"),
    *(
        "字",
        "字。",
        "ไท",
        "ᄒ ",
        "👩\u200d",
        "👩 ",
        "★ ",
        "a★ ",
        "\ue000 ",
        "<v ",
        "{\\",
        "&amp;",
        "$1 ",
        "5 km ",
        "\x00",
    ),
    *("2 de ", "\u200b\u0301", "\x00"),
)
"""What the hard texts repeat: what begins, ends, opens, closes, joins and numbers sentences, words and lines."""

LANGUAGES = ("en", "es", "fr", "it", "de", "ja")
WIDTH = 20
USUAL = "a b, "
LENGTHS = (150, 20_000)
"""The least and the most characters of a text, of which the other one has twice as many: more for quick functions."""

GOAL = 0.001
"""Processor seconds that a usual text of this length should take."""

QUICK = 0.05
"""Processor seconds that no text of twice this length may need, if it needs more than its share."""

MOST = 2.9
"""The most times as long for twice the text. It is twice for linear work and four times for quadratic work."""


class Echo:
    """A translator that writes what it reads, and knows no signs but those of ASCII's letters."""

    def reads(self, text: str) -> bool:
        return text.isascii() and not set("[]{}*_~`|\\").intersection(text)

    def writes(self, text: str) -> bool:
        return self.reads(text)

    def translate(self, sentences: Sequence[str], *, beam_size: int = 2) -> list[str]:
        return list(sentences)

    def alternatives(self, sentences: Sequence[str], *, count: int) -> list[list[str]]:
        return [[sentence] for sentence in sentences]


class Forgetful(Echo):
    """A translator that loses every name, sign and placeholder."""

    def translate(self, sentences: Sequence[str], *, beam_size: int = 2) -> list[str]:
        return [re.sub(r"\W|[A-Z]\w*", " ", sentence).lower() + " x" for sentence in sentences]

    def alternatives(self, sentences: Sequence[str], *, count: int) -> list[list[str]]:
        return [[text] for text in self.translate(sentences)]


GLOSSARY = Glossary({"a": "b", "e.g": "z", "字": "c", "Abc": "d", **{f"term {number}": "x" for number in range(50)}})


def heard(text: str) -> list[Word]:
    """Six characters of a text in each word, five words a second."""
    texts = (text[place : place + 6] for place in range(0, len(text), 6))
    return [Word(number / 5, (number + 1) / 5, said, 0.9) for number, said in enumerate(texts)]


def said(text: str) -> list[Utterance]:
    """Two utterances with the halves of a text and their translations, at one moment."""
    half = len(text) // 2
    return [Utterance(f"0-{at}", 0, 0.0, 0.0, part, part) for at, part in enumerate((text[:half], text[half:]))]


def one_cue(text: str) -> list[Cue]:
    return [Cue(0, 1000, (Line((Unit(text, False, 1, 0, 10, clauses.Boundary.NONE, heard=True),)),))]


def spans(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"\w", text)]


def laid_out(text: str) -> None:
    (found,) = units_of(said(text)[:1], translated=False, language="en")
    layout = Layout(found, width=WIDTH, lines=1)
    for first in range(0, len(found), 50):
        for end in range(first, min(first + 100, len(found))):
            layout.rows(first, end)


def streamed(text: str) -> Stream:
    return Stream.of(*(units_of(said(text), translated=translated, language="en") for translated in (False, True)))


TAKES_TEXT: dict[str, Callable[[str], Any]] = {
    "text.dialogue.joined": lambda text: dialogue.joined(text.split(" ")),
    "text.dialogue.turns": dialogue.turns,
    "text.edits.Original.of": lambda text: [edits.Original.of(one) for one in said(text)],
    "text.edits.Original.restored": lambda text: [edits.Original.of(one).restored(one) for one in said(text)],
    "text.edits.UtteranceEdit.from_dict": lambda text: edits.UtteranceEdit.from_dict({"source": text}),
    "text.edits.UtteranceEdit.then": lambda text: edits.UtteranceEdit("a").then({"source": text}),
    "text.edits.check_times": lambda text: edits.check_times(listed(text), [one.id for one in listed(text)], None),
    "text.edits.with_edit": lambda text: edits.with_edit(said(text)[0], edits.UtteranceEdit(source=text)),
    "text.edits.with_edits": lambda text: edits.with_edits(said(text), {"0-0": edits.UtteranceEdit(source=text)}),
    "text.edits.with_known": lambda text: edits.with_known(listed(text), listed(text)),
    "text.filenames.film_name": lambda text: filenames.film_name(text, "es", "video.mp4"),
    "text.filenames.name_in_disposition": filenames.name_in_disposition,
    "text.filenames.name_in_url": lambda text: refusing(lambda: filenames.name_in_url(text)),
    "text.filenames.names_for": filenames.names_for,
    "text.joiner.guarded": lambda text: [joiner.guarded(text, marks) for marks in MARKS],
    "text.joiner.unguarded": lambda text: joiner.unguarded(text + "\u2060" * len(text)),
    "text.line_ends.unified": lambda text: line_ends.unified(text + "\r" * len(text)),
    "text.lines.clean": lines.clean,
    "text.lines.columns": lines.columns,
    "text.lines.letters": lines.letters,
    "text.lines.pieces": lines.pieces,
    "text.lines.unspaced": lambda text: lines.unspaced(text, text),
    "text.non_speech.is_non_speech": lambda text: non_speech.is_non_speech(heard(text), 1.2),
    "text.non_speech.runs": lambda text: non_speech.runs(heard(text), 1.2),
    "text.sentences.segment": lambda text: [sentences.segment(text, language) for language in LANGUAGES],
    "text.sentences.segment_lines": lambda text: [sentences.segment_lines(text, language) for language in LANGUAGES],
    "text.sentences.shorten": lambda text: sentences.shorten(text, 20),
    "text.transcripts.Transcript.from_json": lambda text: Transcript.from_json(
        Transcript(tuple(listed(text)), language="en").to_json(), translated=False
    ),
    "text.transcripts.Transcript.to_json": lambda text: Transcript(tuple(listed(text))).to_json(),
    "text.transcripts.Transcript.text_of": lambda text: Transcript(()).text_of(said(text)[0]),
    "text.utterances.Utterance.from_dict": lambda text: [Utterance.from_dict(one.to_dict()) for one in listed(text)],
    "text.utterances.is_said": utterances_of.is_said,
    "text.utterances.next_starts": lambda text: utterances_of.next_starts(
        utterances_of.owned(None, heard(text), None, chunk=0, language="en"), heard(text), total=1.0
    ),
    "text.utterances.owned": lambda text: [
        utterances_of.owned(heard(text), heard(text), heard(text), chunk=1, language=language)
        for language in ("en", "it")
    ],
    "text.utterances.sentences": lambda text: utterances_of.sentences(text, language="fr"),
    "text.utterances.spoken_seconds": lambda text: utterances_of.spoken_seconds(text),
    "text.utterances.split_text": lambda text: [
        utterances_of.split_text(text, language="it", longest=longest) for longest in (10, 10**6)
    ],
    "text.utterances.words_of": lambda text: utterances_of.words_of([Segment(0.0, 1.0, text)]),
    "subtitles.cues.bilingual": lambda text: files.bilingual(
        said(text), source_language="en", language="it", max_line_length=WIDTH
    ),
    "subtitles.clauses.boundaries": lambda text: clauses.boundaries(text, lines.pieces(text), "it"),
    "subtitles.cueing.plan": lambda text: cueing.plan(
        Stream.of(units_of(said(text), translated=False, language="en")), width=WIDTH, lines=1
    ),
    "subtitles.cues.given": lambda text: cues.given(said(text), language="en"),
    "subtitles.cues.subtitles": lambda text: cues.subtitles(
        said(text), language="fr", max_line_length=WIDTH, max_lines=1
    ),
    "subtitles.encode": lambda text: [
        files.encode(format, Subtitles(tuple(one_cue(text)), None)) for format in files.SUBTITLE_FORMATS
    ],
    "subtitles.files": lambda text: dict(
        files.files(files.FORMATS, Transcript(tuple(said(text)), duration=1.0), max_line_length=WIDTH, max_lines=1)
    ),
    "subtitles.formats.ass": lambda text: formats.ass(one_cue(text)),
    "subtitles.formats.srt": lambda text: formats.srt(one_cue(text)),
    "subtitles.formats.ttml": lambda text: formats.ttml(Subtitles(tuple(one_cue(text)), None)),
    "subtitles.formats.txt": lambda text: formats.txt(listed(text)),
    "subtitles.formats.vtt": lambda text: formats.vtt(one_cue(text), words=True),
    "subtitles.layout.Layout.rows": laid_out,
    "subtitles.streams.Stream.of": streamed,
    "subtitles.units.units_of": lambda text: units_of(said(text), translated=False, language="it"),
    "subtitles.write": lambda text: files.write("srt", Transcript(tuple(said(text)), given_cues=True)),
    "engines.characters.has_letter": characters.has_letter,
    "engines.characters.pictures": characters.pictures,
    "engines.characters.plain": characters.plain,
    "engines.characters.printable": characters.printable,
    "engines.characters.straight": characters.straight,
    "engines.characters.without_pictures": characters.without_pictures,
    "engines.literals.literals": literals.literals,
    "engines.recognition.guards.guarded": lambda text: list(
        guards.guarded([Segment(0.0, float(len(text)), text, tuple(heard(text)))], float(len(text)))
    ),
    "engines.recognition.word_times.timed": lambda text: word_times.timed(
        [Word(word_times.UNKNOWN, word_times.UNKNOWN, word.text, 0.9) for word in heard(text)],
        *(0.0, 1.0),
        earliest=0.0,
        latest=1.0,
    ),
    "engines.repetition.loops": repetition.loops,
    "engines.repetition.normal": repetition.normal,
    "engines.repetition.without_loops": lambda text: repetition.without_loops(text.split(" "), allowed=3),
    "engines.replacements.Replacer.__call__": lambda text: replacements.Replacer([("a", "b"), (r"\d", "c")])(text),
    "engines.replacements.Replacer.find": lambda text: list(replacements.Replacer([("a", "b")]).find(text)),
    "engines.replacements.replaced": lambda text: replacements.replaced(
        text, (replacements.Replacement(*span, "x") for span in spans(text))
    ),
    "engines.spoken.speakable": lambda text: [spoken.speakable(text, language) for language in ("en", "es", "fr")],
    **{
        f"engines.spoken.{concept.__name__.rpartition('.')[2]}.spoken": lambda text, concept=concept: [
            concept.spoken(text, language) for language in ("en", "es")
        ]
        for concept in (abbreviations, addresses, dates, money, numbers, times, units)
    },
    "engines.spoken.markup.stripped": markup.stripped,
    "engines.spoken.scripts.readable": lambda text: scripts.readable(text, "en"),
    "engines.spoken.words.digits": lambda text: spoken_words.digits(text, "es"),
    "engines.spoken.words.value": lambda text: spoken_words.value(re.sub(r"\D", "", text) or "1", "es"),
    "engines.translation.clauses.inside": lambda text: pieces_of_sentences.inside(text, text, first=False, last=False),
    "engines.translation.clauses.join": lambda text: pieces_of_sentences.join(text.split(" "), text.split(" ")),
    "engines.translation.clauses.split": lambda text: pieces_of_sentences.split(
        f"a b c d e f g h {text} a b", language="en"
    ),
    "engines.translation.clauses.words": pieces_of_sentences.words,
    "engines.translation.glossary.Glossary.kept": GLOSSARY.kept,
    **{
        f"engines.translation.keeping.KeepingTranslator.{name}": lambda text, call=call: [
            call(KeepingTranslator(model, GLOSSARY, source="en"), text) for model in (Echo(), Forgetful())
        ]
        for name, call in {
            "translate": lambda keeping, text: keeping.translate([text]),
            "alternatives": lambda keeping, text: keeping.alternatives([text], count=2),
        }.items()
    },
    "engines.translation.names.absent": lambda text: names.absent(
        [text[place : place + 5] for place in range(0, len(text), 5)], text
    ),
    "engines.translation.names.are_copied": lambda text: names.are_copied(text, text),
    "engines.translation.names.candidates": lambda text: names.candidates(text, "en"),
    "engines.translation.names.roots": names.roots,
    "engines.translation.numbers.garbled": lambda text: kept_numbers.garbled(text, text),
    "engines.translation.numbers.localized": lambda text: kept_numbers.localized(f"1{text}", "en", "es"),
    "engines.translation.numbers.masks": kept_numbers.masks,
    "engines.translation.numbers.numbers": kept_numbers.numbers,
    "engines.translation.numbers.restored": lambda text: kept_numbers.restored(text, f"7 {text[::-1]}", "en", "es"),
    "engines.translation.numbers.rewritten": lambda text: kept_numbers.rewritten(
        text, dict.fromkeys(kept_numbers.numbers(text), "x")
    ),
    "engines.translation.numbers.survive": lambda text: kept_numbers.survive(text, text),
    "engines.translation.numbers.unmasked": lambda text: kept_numbers.unmasked(
        "3", text, ["3"] * len(kept_numbers.numbers(text)), "en", "es"
    ),
    "engines.translation.placeholders.masks": lambda text: placeholders.masks(text, spans(text)[:3], ("XYZ",)),
    "engines.translation.placeholders.unmasked": lambda text: placeholders.unmasked(text, {"X": "1", "Y": "2"}),
    "engines.translation.placeholders.translate_masked": lambda text: placeholders.translate_masked(
        {text: placeholders.masks(text, spans(text)[:3], ("XYZ", "345"))},
        lambda texts: [[masked] for masked in texts],
        lambda _, signs, choice: placeholders.unmasked(choice, dict.fromkeys(signs, "x")),
        count=1,
    ),
    "engines.translation.spelling.lost": lambda text: spelling.lost(text, text[: len(text) // 2], Echo()),
    "engines.translation.spelling.marks": lambda text: spelling.marks(text, Echo()),
    "engines.translation.spelling.unread": lambda text: spelling.unread(text, Echo()),
}
"""The functions, and a call of each with a text."""

EXEMPT = {
    "engines.failures.damaged": "an error's message, which we write",
    "engines.load.voice": "a name of an engine",
    "engines.translation.chain.ChainTranslator.alternatives": "hands on to a model",
    "engines.translation.chain.ChainTranslator.reads": "hands on to a model",
    "engines.translation.chain.ChainTranslator.translate": "hands on to a model",
    "engines.translation.chain.ChainTranslator.writes": "hands on to a model",
    "engines.translation.ctranslate.CTranslate2Translator.alternatives": "needs a model",
    "engines.translation.ctranslate.CTranslate2Translator.reads": "needs a model",
    "engines.translation.ctranslate.CTranslate2Translator.translate": "needs a model",
    "engines.translation.ctranslate.CTranslate2Translator.writes": "needs a model",
    "engines.translation.keeping.KeepingTranslator.reads": "looks at nothing",
    "engines.translation.keeping.KeepingTranslator.writes": "looks at nothing",
    "engines.translation.packages.layout": "names of a model's files",
    "engines.types.Translator.alternatives": "an interface",
    "engines.types.Translator.reads": "an interface",
    "engines.types.Translator.translate": "an interface",
    "engines.types.Translator.writes": "an interface",
    "engines.types.Voice.synthesize": "an interface",
    "engines.voices.convolutions.graph.Graph.constant": "names in a model",
    "engines.voices.convolutions.graph.Graph.only_user": "names in a model",
    "engines.voices.convolutions.graph.Graph.put": "names in a model",
    "engines.voices.convolutions.graph.Graph.value": "names in a model",
    "engines.voices.kokoro.Kokoro.synthesize": "needs a model; speakable does the work on text",
    "engines.voices.piper.Piper.synthesize": "needs a model; speakable does the work on text",
    "engines.voices.session.Session.run": "names in a model",
    "engines.spoken.words.cardinal": "a number; digits does the work on long ones",
}

MARKS = (formats._SRT_MARKUP, formats._VTT_MARKUP, formats._ASS_MARKUP)


def listed(text: str) -> list[Utterance]:
    """An utterance of each six characters of a text."""
    return [
        Utterance(f"0-{number}", 0, float(number), number + 1.0, word.text, edited=("start",))
        for number, word in enumerate(heard(text))
    ]


def refusing(call: Callable[[], Any]) -> None:
    """Call a function that refuses some texts with ``ValueError``."""
    with suppress(ValueError):
        call()


def public_functions() -> Iterator[tuple[str, Any]]:
    """The public functions and methods of the rooms that are defined there, by name without ``octavia``."""
    for room in ROOMS:
        package = importlib.import_module(room)
        found = (module.name for module in pkgutil.walk_packages(package.__path__, f"{room}."))
        for name in (room, *found):
            if name.startswith(ELSEWHERE):
                continue
            module = importlib.import_module(name)
            for label, value in vars(module).items():
                if label.startswith("_") or getattr(value, "__module__", None) != name:
                    continue
                place = f"{name.removeprefix('octavia.')}.{label}"
                if inspect.isfunction(value):
                    yield place, value
                elif inspect.isclass(value):
                    methods = ((key, getattr(one, "__func__", one)) for key, one in vars(value).items())
                    yield from (
                        (f"{place}.{key}", one)
                        for key, one in methods
                        if inspect.isfunction(one) and (not key.startswith("_") or key == "__call__")
                    )


def takes_text(function: Any) -> bool:
    """True if the first argument is text, or made of it."""
    given = [one for name, one in inspect.signature(function).parameters.items() if name not in ("self", "cls")]
    kinds = r"\b(str|bytes|Word|Segment|Utterance|Piece|Unit|Cue|Subtitles|Stream)\b"
    return bool(given) and re.search(kinds, str(given[0].annotation)) is not None


def test_no_function_is_forgotten() -> None:
    # Given the public functions whose first argument is text, Then each is called below, or its exemption has a reason
    found = {name for name, function in public_functions() if takes_text(function)}
    classes = {name.rpartition(".")[0] for name, _ in public_functions()}
    called = TAKES_TEXT.keys() | EXEMPT.keys()
    assert not found - called, "give these a call in TAKES_TEXT"
    assert not called - {name for name, _ in public_functions()} - classes, "these are gone"
    assert not TAKES_TEXT.keys() & EXEMPT.keys()


def seconds(call: Callable[[str], Any], text: str) -> float:
    began = time.process_time()
    call(text)
    return time.process_time() - began


def length_for(call: Callable[[str], Any]) -> int:
    """The length of a text that takes a function long enough to measure, and not for long."""
    call(USUAL)
    shortest, longest = LENGTHS
    took = seconds(call, USUAL * (shortest // len(USUAL)))
    return min(max(int(shortest * GOAL / took), shortest), longest)


@pytest.mark.parametrize("name", TAKES_TEXT)
def test_time_grows_in_proportion(name: str) -> None:
    call = TAKES_TEXT[name]
    length = length_for(call)
    for run in RUNS:
        # Given a run, and one of twice its length
        short = run * (length // len(run) + 1)
        long = short * 2
        if (once := seconds(call, long)) < QUICK or once < MOST * seconds(call, short):
            continue
        # Then the longer one takes about twice the time; the least of several measures, because machines are busy
        pairs = [(seconds(call, short), seconds(call, long)) for _ in range(3)]
        once, twice = (min(times) for times in zip(*pairs, strict=True))
        assert twice < max(MOST * once, QUICK), f"{run!r}: {once:.3f} s, and {twice:.3f} s for twice the length"
