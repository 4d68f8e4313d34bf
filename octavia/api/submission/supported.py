"""Refuses jobs for which this deployment has no models."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext, suppress

from octavia.api.context import Context
from octavia.catalog import Model, select
from octavia.errors import ModelError
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.states import Stage, chunk_stages


def is_available(context: Context, model: Model) -> bool:
    """Return True if jobs may use a model: it is installed, may be fetched, or workers elsewhere may have it."""
    return (
        not context.settings.embedded
        or select.may_fetch(model, auto_pull=context.settings.auto_pull)
        or context.models.installed(model)
    )


def check_models(context: Context, new: NewJob, *, from_text: bool) -> None:
    """Refuse a job for which there is no model, as far as its languages are known. Reads the disk.

    Raises:
      InputError: ``unsupported_source_language``, ``unsupported_pair`` or ``voice_unavailable``.
      ModelError: ``model_unavailable``: a model is not installed and may not be fetched. Raised only by an embedded
        service; otherwise workers on other machines may have the model.
    """
    stages = chunk_stages(new.type, from_text=from_text)
    source = None if new.source_language == "auto" else new.source_language
    target = new.target_language or source
    with _ignoring_missing_models(context):
        if Stage.TRANSCRIBE in stages:
            select.recognizer(context.catalog, context.models, source, new.options.get("speech_model"))
        if Stage.TRANSLATE in stages and source and target and source != target:
            select.route(context.catalog, context.models, source, target)
        if Stage.SYNTHESIZE in stages and target:
            for voice_id in (new.options.get("voice"), *(new.options.get("voices") or {}).values()):
                select.voice(context.catalog, context.models, target, voice_id)


def check_voices(context: Context, language: str, ids: Iterable[str]) -> None:
    """Refuse voices that a language does not have. Reads the disk.

    Raises ``InputError`` or ``ModelError`` as ``check_models``.
    """
    with _ignoring_missing_models(context):
        for voice_id in ids:
            select.voice(context.catalog, context.models, language, voice_id)


def _ignoring_missing_models(context: Context) -> AbstractContextManager[None]:
    return nullcontext() if context.settings.embedded else suppress(ModelError)
