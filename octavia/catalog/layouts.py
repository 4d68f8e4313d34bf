"""Recognize a model by its files: the engine that loads it, and its languages and voices as far as they say."""

import json
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from octavia.catalog import languages
from octavia.catalog.model import Model, Task, VoiceInfo
from octavia.engines.translation import packages
from octavia.errors import InputError

_KOKORO = {"a": "en", "b": "en", "e": "es", "f": "fr", "h": "hi", "i": "it", "p": "pt"}
"""Language of a Kokoro voice by the first letter of its name; espeak lacks the phonemes of the other letters."""

_MOST_JSON = 4 * 1024**2  # The largest describe a voice, with its phonemes, in some kilobytes.
_MOST_VOCABULARY = 64 * 1024**2  # NLLB's has 5 MB.

_ARGOS = {"pb": "pt", "zt": "zh"}
"""Argos' own codes for Brazilian Portuguese and traditional Chinese."""


def detect(folder: Path) -> tuple[Model, bool]:
    """Recognize the model in a folder by its files.

    Returns:
      The model, with empty fields (also the id) where its files do not tell; and True if it translates between any two
      of its languages.

    Raises:
      InputError: ``unknown_model_layout``: no engine loads it; ``unknown_language``.
    """
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    for recognize in (_translation, _whisper, _piper, _kokoro):
        if found := recognize(folder, names):
            return found, packages.layout(names) == "shared" and _has_language_tokens(folder)
    raise InputError(
        f"{folder.name} holds no model that Octavia can load.",
        code="unknown_model_layout",
        hint="It loads CTranslate2 folders (Whisper, OPUS-MT, NLLB), .argosmodel files, Piper voices (NAME.onnx beside "
        "NAME.onnx.json) and Kokoro (one .onnx and voices/*.bin).",
    )


def _translation(folder: Path, names: AbstractSet[str]) -> Model | None:
    match packages.layout(names):
        case "argos" if "metadata.json" in names:
            return _argos(folder)
        case "marian":
            files = ("config.*", "model.bin", "*.spm", "*vocabulary.*", "*.md")
        case "shared":
            files = ("model.bin", "*.model", "*vocabulary.*", "*.json", "*.md")
        case _:
            return None
    return Model("", Task.TRANSLATION, "ctranslate", files=files)


def _whisper(folder: Path, names: AbstractSet[str]) -> Model | None:
    if "model.bin" in names and any(name.startswith("vocabulary.") for name in names):
        return Model("", Task.SPEECH, "whisper", files=("model.bin", "*.json", "vocabulary.*", "*.md"))
    return None


def _has_language_tokens(folder: Path) -> bool:
    """Return whether the vocabulary names languages, as NLLB's and M2M100's do: any two of them make a pair."""
    for path in folder.glob("*vocabulary.*"):
        with path.open("rb") as file:
            content = file.read(_MOST_VOCABULARY)
        if b"eng_Latn" in content or b"__en__" in content:
            return True
    return False


def _argos(folder: Path) -> Model:
    about = _json(folder / "metadata.json")
    source, target = (
        languages.normalize(_ARGOS.get(code, code))
        for code in (str(about.get(key)) for key in ("from_code", "to_code"))
    )
    return Model(
        f"argos-{source}-{target}",
        Task.TRANSLATION,
        "ctranslate",
        languages=(source, target),
        pairs=((source, target),),
        files=("metadata.json", "sentencepiece.model", "model/*", "README*"),
    )


def _piper(folder: Path, names: AbstractSet[str]) -> Model | None:
    model = next((name for name in _onnx(names) if f"{name}.json" in names), None)
    if model is None:
        return None
    about = _json(folder / f"{model}.json")
    name = model.removesuffix(".onnx")
    code = _entry(about, "language", "code") or _entry(about, "espeak", "voice") or name.split("-")[0]
    language = languages.normalize(str(code).replace("_", "-"))
    voice = VoiceInfo(name, language, str(about.get("dataset") or name).title())
    return Model(name, Task.VOICE, "piper", languages=(language,), voices=(voice,), files=(model, f"{model}.json"))


def _entry(about: dict[str, Any], part: str, name: str) -> object:
    within = about.get(part)
    return within.get(name) if isinstance(within, dict) else None


def _kokoro(folder: Path, names: AbstractSet[str]) -> Model | None:
    models = _onnx(names)
    if not models or not any(name.startswith("voices/") and name.endswith(".bin") for name in names):
        return None
    voices = []
    for path in sorted((folder / "voices").glob("*.bin")):
        letters, _, name = path.stem.partition("_")
        language = _KOKORO.get(letters[:1])
        if language:
            gender = {"f": "female", "m": "male"}.get(letters[1:2], "")
            voices.append(VoiceInfo(path.stem, language, name.title(), gender))
    spoken = tuple(dict.fromkeys(voice.language for voice in voices))
    return Model("", Task.VOICE, "kokoro", languages=spoken, voices=tuple(voices), files=(models[0], "voices/*.bin"))


def _onnx(names: AbstractSet[str]) -> list[str]:
    return sorted(name for name in names if name.endswith(".onnx") and "/" not in name)


def _json(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(_MOST_JSON))
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path.name} is not JSON: {error}.",
            code="unknown_model_layout",
            hint="Copy the model again.",
        ) from error
    if not isinstance(content, dict):
        raise InputError(f"{path.name} holds no object.", code="unknown_model_layout", hint="Copy the model again.")
    return content
