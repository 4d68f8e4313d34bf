"""Who speaks: one of our voices by its id, or by one of OpenAI's names whichever is the default."""

from typing import Final

from octavia.api.context import Context
from octavia.catalog import Model, Task, VoiceInfo, select
from octavia.errors import InputError

OPENAI_NAMES: Final = (
    "alloy",
    "ash",
    "ballad",
    "cedar",
    "coral",
    "echo",
    "fable",
    "marin",
    "nova",
    "onyx",
    "sage",
    "shimmer",
    "verse",
)
"""The voices that OpenAI has. They speak every language; each of ours speaks one."""

_FALLBACK_LANGUAGE: Final = "en"

Speaker = tuple[Model, VoiceInfo]


def choose(context: Context, name: str, *, model: Model | None, language: str | None) -> Speaker:
    """The voice that a request names. Looks at the disk.

    Parameters:
      model: The one whose voice it shall be, if that matters.
      language: What the text is in, for OpenAI's names; None: the language of the first voice that is installed.

    Raises:
      InputError: ``voice_unavailable``: there is none of that name in that model and language.
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
        return _best(context, named)
    if name in OPENAI_NAMES and fitting:
        return _default(context, fitting, language)
    raise InputError(
        f"There is no voice {name[:100]!r}" + (f" for {language}." if language else "."),
        code="voice_unavailable",
        hint=f"There are {', '.join(OPENAI_NAMES)}, and {', '.join(info.id for _, info in known)}.",
        field="voice",
    )


def _best(context: Context, fitting: list[Speaker]) -> Speaker:
    return next(((owner, info) for owner, info in fitting if context.models.installed(owner)), fitting[0])


def _default(context: Context, fitting: list[Speaker], language: str | None) -> Speaker:
    """The first that is installed, else the one that a job of its language would get."""
    installed = [(owner, info) for owner, info in fitting if context.models.installed(owner)]
    if installed:
        return installed[0]
    spoken = {info.language for _, info in fitting}
    chosen = select.voice(
        context.catalog,
        context.models,
        language or (_FALLBACK_LANGUAGE if _FALLBACK_LANGUAGE in spoken else fitting[0][1].language),
        auto_pull=True,
    )
    return chosen if chosen in fitting else fitting[0]
