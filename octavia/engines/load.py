"""Loads an engine from the path of its model."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from octavia.engines.recognition.whisper import Whisper
from octavia.engines.translation.chain import ChainTranslator
from octavia.engines.translation.ctranslate import CTranslate2Translator
from octavia.engines.translation.glossary import Glossary
from octavia.engines.translation.keeping import KeepingTranslator
from octavia.engines.types import Recognizer, Translator, Voice
from octavia.engines.voices.kokoro import Kokoro
from octavia.engines.voices.piper import Piper
from octavia.errors import ModelError

_VOICES: dict[str, Callable[..., Voice]] = {"piper": Piper, "kokoro": Kokoro}


def recognizer(path: Path, *, threads: int) -> Recognizer:
    """Load a Whisper model. See ``whisper.Whisper`` for what it raises."""
    return Whisper(path, threads=threads)


def translator(path: Path, *, source: str, target: str, threads: int) -> Translator:
    """Load a translation model for one pair of languages, whatever its layout. See ``packages.find``."""
    return CTranslate2Translator(path, source=source, target=target, threads=threads)


def chain(legs: Sequence[Translator]) -> Translator:
    """Translate through other languages, one leg after the other."""
    return ChainTranslator(legs)


def keeping(translator: Translator, glossary: Mapping[str, str], *, source: str) -> Translator:
    """Keep addresses, files, handles and tags as they are, and write a glossary's terms as it has them."""
    return KeepingTranslator(translator, Glossary(glossary), source=source)


def voice(engine: str, path: Path, *, voice: str, language: str, threads: int) -> Voice:
    """Load a voice.

    Raises:
      ModelError: ``engine_unknown``, or what ``piper.Piper`` and ``kokoro.Kokoro`` raise.
    """
    load = _VOICES.get(engine)
    if load is None:
        raise ModelError(
            f"There is no voice engine '{engine}'.", code="engine_unknown", hint=f"Use {' or '.join(_VOICES)}."
        )
    return load(path, voice=voice, language=language, threads=threads)
