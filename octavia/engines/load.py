"""Loads engines from the paths of their models; the libraries of each are imported when it is first needed."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from octavia.engines.types import Recognizer, Translator, Voice
from octavia.errors import ModelError


def recognizer(path: Path, *, threads: int) -> Recognizer:
    """Load a Whisper model; raises as ``whisper.Whisper``."""
    from octavia.engines.recognition.whisper import Whisper

    return Whisper(path, threads=threads)


def translator(path: Path, *, source: str, target: str, threads: int) -> Translator:
    """Load a translation model of any layout for two ISO 639-1 languages; raises as ``CTranslate2Translator``."""
    from octavia.engines.translation.ctranslate import CTranslate2Translator

    return CTranslate2Translator(path, source=source, target=target, threads=threads)


def chain(legs: Sequence[Translator]) -> Translator:
    """Translate through other languages, one leg after another."""
    from octavia.engines.translation.chain import ChainTranslator

    return ChainTranslator(legs)


def keeping(translator: Translator, glossary: Mapping[str, str], *, source: str) -> Translator:
    """Wrap a translator to leave addresses, files, handles, tags and names as they are, and to use a glossary's terms.

    Parameters:
      glossary: Translations by term.
      source: The sentences' language, ISO 639-1.
    """
    from octavia.engines.translation.glossary import Glossary
    from octavia.engines.translation.keeping import KeepingTranslator

    return KeepingTranslator(translator, Glossary(glossary), source=source)


def voice(engine: str, path: Path, *, voice: str, language: str, threads: int) -> Voice:
    """Load a voice of ``engine``, which is ``piper`` or ``kokoro``.

    Raises ``ModelError`` (``engine_unknown``), or as ``piper.Piper`` and ``kokoro.Kokoro``.
    """
    if engine not in _VOICES:
        raise ModelError(
            f"There is no voice engine '{engine}'.", code="engine_unknown", hint=f"Use {' or '.join(_VOICES)}."
        )
    return _VOICES[engine]()(path, voice=voice, language=language, threads=threads)


def _piper() -> Callable[..., Voice]:
    from octavia.engines.voices.piper import Piper

    return Piper


def _kokoro() -> Callable[..., Voice]:
    from octavia.engines.voices.kokoro import Kokoro

    return Kokoro


_VOICES = {"piper": _piper, "kokoro": _kokoro}
