"""What lies in a folder: which engine its files are for, and what they say of themselves."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from octavia.catalog import languages
from octavia.catalog.model import Engine, Task, VoiceInfo
from octavia.errors import InputError

_KOKORO = {"a": "en", "b": "en", "e": "es", "f": "fr", "h": "hi", "i": "it", "p": "pt"}
"""The language of a Kokoro voice by the first letter of its name; others need phonemes that espeak does not give."""

_ARGOS = {"pb": "pt", "zt": "zh"}
"""Argos' own codes of Brazilian Portuguese and traditional Chinese."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What was found: for which engine, which files, and what could be read out of them.

    Parameters:
      files: Patterns of the files that belong to it.
      id: The name it gives itself, or empty.
      languages: The languages it names, or none.
      pairs: The pairs it names, or none.
      voices: The voices it holds, or none.
      multilingual: A translation model that goes between any two of its languages.
    """

    task: Task
    engine: Engine
    files: tuple[str, ...]
    id: str = ""
    languages: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    voices: tuple[VoiceInfo, ...] = ()
    multilingual: bool = False


def detect(folder: Path) -> Layout:
    """Tell what a folder holds by its files.

    Raises:
      InputError: ``unknown_model_layout``: nothing that an engine here can load.
    """
    has = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    if "metadata.json" in has and "sentencepiece.model" in has and "model/model.bin" in has:
        return _argos(folder)
    if "model.bin" in has and {"source.spm", "target.spm"} <= has:
        return Layout(Task.TRANSLATION, "ctranslate", ("config.*", "model.bin", "*.spm", "*vocabulary.*", "*.md"))
    if "model.bin" in has and {"sentencepiece.bpe.model", "sentencepiece.model"} & has:
        files = ("model.bin", "*.model", "*vocabulary.*", "*.json", "*.md")
        return Layout(Task.TRANSLATION, "ctranslate", files, multilingual=_has_language_tokens(folder))
    if "model.bin" in has and any(name.startswith("vocabulary.") for name in has):
        return Layout(Task.SPEECH, "whisper", ("model.bin", "*.json", "vocabulary.*", "*.md"))
    models = sorted(name for name in has if name.endswith(".onnx") and "/" not in name)
    for name in models:
        if f"{name}.json" in has:
            return _piper(folder / name)
    if models and any(name.startswith("voices/") and name.endswith(".bin") for name in has):
        return _kokoro(folder, models[0])
    raise InputError(
        f"{folder.name} holds no model that Octavia can load.",
        code="unknown_model_layout",
        hint="It loads CTranslate2 folders (Whisper, OPUS-MT, NLLB), .argosmodel files, Piper voices (NAME.onnx beside "
        "NAME.onnx.json) and Kokoro (one .onnx and voices/*.bin).",
    )


def _has_language_tokens(folder: Path) -> bool:
    """Whether the vocabulary names languages, as NLLB's and M2M100's do: then any two of them make a pair."""
    vocabularies = [path.read_bytes() for path in folder.glob("*vocabulary.*")]
    return any(token in content for content in vocabularies for token in (b"eng_Latn", b"__en__"))


def _argos(folder: Path) -> Layout:
    about = _json(folder / "metadata.json")
    source, target = (
        languages.normalize(_ARGOS.get(code, code))
        for code in (str(about.get(key)) for key in ("from_code", "to_code"))
    )
    return Layout(
        Task.TRANSLATION,
        "ctranslate",
        ("metadata.json", "sentencepiece.model", "model/*", "README*"),
        id=f"argos-{source}-{target}",
        languages=(source, target),
        pairs=((source, target),),
    )


def _piper(model: Path) -> Layout:
    about = _json(Path(f"{model}.json"))
    name = model.name.removesuffix(".onnx")
    code = (about.get("language") or {}).get("code") or (about.get("espeak") or {}).get("voice") or name.split("-")[0]
    language = languages.normalize(str(code).replace("_", "-"))
    voice = VoiceInfo(name, language, str(about.get("dataset") or name).title())
    return Layout(
        Task.VOICE, "piper", (model.name, f"{model.name}.json"), id=name, languages=(language,), voices=(voice,)
    )


def _kokoro(folder: Path, model: str) -> Layout:
    voices = []
    for path in sorted((folder / "voices").glob("*.bin")):
        letters, _, name = path.stem.partition("_")
        language = _KOKORO.get(letters[:1])
        if language:
            gender = {"f": "female", "m": "male"}.get(letters[1:2], "")
            voices.append(VoiceInfo(path.stem, language, name.title(), gender))
    spoken = tuple(dict.fromkeys(voice.language for voice in voices))
    return Layout(Task.VOICE, "kokoro", (model, "voices/*.bin"), languages=spoken, voices=tuple(voices))


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise InputError(
            f"{path.name} is not JSON: {error}.", code="unknown_model_layout", hint="Copy the model again."
        ) from error
    if not isinstance(content, dict):
        raise InputError(f"{path.name} holds no object.", code="unknown_model_layout", hint="Copy the model again.")
    return content
