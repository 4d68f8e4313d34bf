"""The voice of a request: one of ours by its id, or the default voice for one of OpenAI's names."""

from typing import Final

from octavia.api.context import Context
from octavia.catalog import Model, Task, VoiceInfo, select
from octavia.errors import InputError

OPENAI_NAMES: Final = (
    *("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable"),
    *("marin", "nova", "onyx", "sage", "shimmer", "verse"),
)
"""OpenAI's voices. They speak every language; each of ours speaks one."""

_FALLBACK_LANGUAGE: Final = "en"

Speaker = tuple[Model, VoiceInfo]


def choose_voice(context: Context, name: str, *, model: Model | None, language: str | None) -> Speaker:
    """Return the voice that a request names. Reads the disk.

    Parameters:
      model: The model that must have the voice; None for any.
      language: The language of the text, for OpenAI's names; None for that of the first installed voice.

    Raises:
      InputError: ``voice_unavailable``: the model and language have no voice of this name.
    """
    known = [
        (owner, info)
        for owner in context.catalog.of(Task.VOICE)
        if model is None or owner is model
        for info in owner.voices
    ]
    fitting = [(owner, info) for owner, info in known if language is None or info.language == language]
    named = [(owner, info) for owner, info in fitting if name in (info.id, f"{owner.id}/{info.id}")]
    if named:
        return _installed(context, named) or named[0]
    if name in OPENAI_NAMES and fitting:
        return _default(context, fitting, language)
    raise InputError(
        f"There is no voice {name[:100]!r}" + (f" for {language}." if language else "."),
        code="voice_unavailable",
        hint=f"Choose one of {', '.join(OPENAI_NAMES)}, or of {', '.join(info.id for _, info in known)}.",
        field="voice",
    )


def _installed(context: Context, fitting: list[Speaker]) -> Speaker | None:
    return next(((owner, info) for owner, info in fitting if context.models.installed(owner)), None)


def _default(context: Context, fitting: list[Speaker], language: str | None) -> Speaker:
    """Return the first installed voice, else the one that a job in its language would get."""
    if installed := _installed(context, fitting):
        return installed
    spoken = {info.language for _, info in fitting}
    chosen = select.voice(
        context.catalog,
        context.models,
        language or (_FALLBACK_LANGUAGE if _FALLBACK_LANGUAGE in spoken else fitting[0][1].language),
        auto_pull=True,
    )
    return chosen if chosen in fitting else fitting[0]
