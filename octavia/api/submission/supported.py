"""Refuses jobs that no model of this deployment can do."""

from collections.abc import Iterable

from octavia.api.context import Context
from octavia.catalog import select
from octavia.errors import ModelError
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.states import Stage, chunk_stages


def check_models(context: Context, new: NewJob, *, from_text: bool) -> None:
    """Refuse a job for which there is no model, as far as its languages are known. Looks at the disk.

    Raises:
      InputError: ``unsupported_source_language``, ``unsupported_pair`` or ``voice_unavailable``.
      ModelError: ``model_unavailable``: on one machine that may not fetch what is missing. With a broker, the workers
        are elsewhere, and what is installed here says nothing.
    """
    try:
        _choose(context, new, chunk_stages(new.type, from_text=from_text))
    except ModelError:
        if context.settings.embedded:
            raise


def _choose(context: Context, new: NewJob, stages: tuple[Stage, ...]) -> None:
    source = None if new.source_language == "auto" else new.source_language
    target = new.target_language or source
    if Stage.TRANSCRIBE in stages:
        select.recognizer(context.catalog, context.models, source, new.options.get("speech_model"))
    if Stage.TRANSLATE in stages and source and target and source != target:
        select.route(context.catalog, context.models, source, target)
    if Stage.SYNTHESIZE in stages and target:
        for voice_id in (new.options.get("voice"), *(new.options.get("voices") or {}).values()):
            select.voice(context.catalog, context.models, target, voice_id)


def check_voices(context: Context, language: str, ids: Iterable[str]) -> None:
    """Refuse voices that there are not for a language. Looks at the disk.

    Raises:
      InputError, ModelError: As ``check_models``.
    """
    try:
        for voice_id in ids:
            select.voice(context.catalog, context.models, language, voice_id)
    except ModelError:
        if context.settings.embedded:
            raise
