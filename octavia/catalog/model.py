"""What the catalogue says of a model: the records that everything else passes around."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Engine = Literal["whisper", "ctranslate", "piper", "kokoro"]
"""Which of the engines loads a model's folder."""


class Task(StrEnum):
    """What a model is for."""

    SPEECH = "speech"
    TRANSLATION = "translation"
    VOICE = "voice"


@dataclass(frozen=True, slots=True)
class VoiceInfo:
    """One speaker of a voice model. ``id`` is what a request names; ``language`` is ISO 639-1."""

    id: str
    language: str
    name: str = ""
    gender: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """A model: what it does, its licence and where it comes from.

    Parameters:
      id: Its name, and the name of its folder in the store.
      task: What it is for.
      engine: What loads it.
      languages: ISO 639-1 codes it hears, speaks, or translates from or to.
      pairs: (source, target) of a translation model.
      voices: Speakers of a voice model, the default of each language first.
      licence: SPDX expression, or words where there is none.
      size: Bytes of its files.
      sha256: The tree digest of its files (see ``tree``); empty where the catalogue cannot know it.
      sources: Where to fetch it, in order.
      files: Glob patterns of its files, relative to the folder that a source names.
      suggested: Fetch this one when nothing that fits is installed.
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
        """Whether the licence forbids commercial use; such a model is fetched only when asked for by name."""
        return "-NC" in self.licence.upper()

    @property
    def pull_command(self) -> str:
        """The command that installs it."""
        return f"octavia models pull {self.id}"
