"""The catalogue's records of models and voices, which every other room passes around."""

from dataclasses import dataclass
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
class Model:
    """A model: what it does, its licence and where it comes from.

    Parameters:
      id: Its name, and the name of its folder in the store.
      languages: ISO 639-1 codes that it recognizes, speaks, or translates from or to.
      pairs: (source, target) of a translation model.
      voices: Speakers of a voice model, the default of each language first.
      licence: SPDX expression, or words if SPDX has none.
      size: Total size of its files in bytes.
      sha256: The tree digest of its files (see ``tree.digest``); empty if the catalogue does not pin one.
      sources: The places to fetch it from, in order, as ``catalog.toml`` writes them.
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
    files: tuple[str, ...] = ("*",)
    suggested: bool = False

    @property
    def noncommercial(self) -> bool:
        """True if the licence forbids commercial use; such a model is fetched only when named."""
        return "-NC" in self.licence.upper()

    @property
    def pull_command(self) -> str:
        """The command that installs it."""
        return f"octavia models pull {self.id}"
