"""The catalogue's records of models and voices, which every other room passes around."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

Engine = Literal["whisper", "ctranslate", "piper", "kokoro"]
"""The engine that loads a model's folder."""


class Task(StrEnum):
    """The kind of work that a model does."""

    SPEECH = "speech"
    TRANSLATION = "translation"
    VOICE = "voice"


@dataclass(frozen=True, slots=True)
class VoiceInfo:
    """One speaker of a voice model. Requests name its ``id``; ``language`` is ISO 639-1."""

    id: str
    language: str
    name: str = ""
    gender: str = ""


@dataclass(frozen=True, slots=True)
class Variant:
    """The files of one source that has other ones: their ``size`` in bytes, and ``sha256`` as of a ``Model``."""

    source: str
    size: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """A model: what it does, its licence and where it comes from.

    Parameters:
      id: Its name, and the name of its folder in the store.
      languages: ISO 639-1 codes that it recognizes, speaks, or translates from or to.
      pairs: (source, target) of a translation model.
      voices: Speakers of a voice model, the default of each language first.
      licence: SPDX expression, or words if SPDX has none.
      size: Total size of its files in bytes, from its first source.
      sha256: The tree digest of its files (see ``tree.digest``); empty if the catalogue does not pin one.
      sources: The places to fetch it from, in order, as ``catalog.toml`` writes them.
      variants: Those of the sources that have files of their own, of another conversion of the same model.
      files: Glob patterns of its files, relative to the folder that a source names.
      suggested: Fetch this one if no fitting model is installed.
    """

    id: str
    task: Task
    engine: Engine
    languages: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    voices: tuple[VoiceInfo, ...] = ()
    licence: str = ""
    size: int = 0
    sha256: str = ""
    sources: tuple[str, ...] = ()
    variants: tuple[Variant, ...] = ()
    files: tuple[str, ...] = ("*",)
    suggested: bool = False

    @property
    def noncommercial(self) -> bool:
        """True if the licence forbids commercial use; such a model is fetched only when named."""
        return "-NC" in self.licence.upper()

    def as_from(self, source: str) -> "Model":
        """Return the model with the size and the sha256 that it has from a source."""
        for variant in self.variants:
            if variant.source == source:
                return replace(self, size=variant.size, sha256=variant.sha256)
        return self

    def digests(self, source: str) -> tuple[str, ...]:
        """List the pinned digests of which files from a source must have one; none if they may have any.

        Parameters:
          source: One that is not the catalogue's, as of an import, may give what any of the catalogue's gives.
        """
        sources = (source,) if source in self.sources else self.sources
        pinned = [self.as_from(source).sha256 for source in sources] or [self.sha256]
        return tuple(dict.fromkeys(pinned)) if all(pinned) else ()

    @property
    def pull_command(self) -> str:
        """The command that installs it."""
        return f"octavia models pull {self.id}"
