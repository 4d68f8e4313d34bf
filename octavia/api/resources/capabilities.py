"""What this deployment can do: ``/languages``, ``/voices``, ``/models``; and whether it can do what a job asks."""

from collections.abc import Container, Iterable

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.http.answers import answer
from octavia.api.http.operations import operation
from octavia.api.services import Services, services
from octavia.catalog import Model, Task, languages, select
from octavia.errors import ModelError
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.states import Stage, chunk_stages


class LanguageOut(BaseModel):
    """A language, and what a job can do with it: with models that are installed, or are fetched when needed."""

    code: str
    name: str
    recognized: bool
    spoken: bool
    translated_to: list[str]


class LanguageListOut(BaseModel):
    """The languages of this deployment."""

    languages: list[LanguageOut]


class VoiceOut(BaseModel):
    """A voice, and the language it speaks; ``available``: a job may name it."""

    id: str
    language: str
    name: str
    gender: str | None
    model: str
    installed: bool
    available: bool


class VoiceListOut(BaseModel):
    """The voices of the catalogue."""

    voices: list[VoiceOut]


class ModelOut(BaseModel):
    """A model; ``size`` in bytes; ``available``: jobs use it, or would fetch it."""

    id: str
    task: Task
    engine: str
    languages: list[str]
    licence: str
    size: int
    sha256: str
    installed: bool
    available: bool


class ModelListOut(BaseModel):
    """The models of the catalogue."""

    models: list[ModelOut]


def check_models(parts: Services, new: NewJob, *, from_text: bool) -> None:
    """Refuse a job for which there is no model, as far as its languages are known. Looks at the disk.

    Raises:
      InputError: ``unsupported_source_language``, ``unsupported_pair`` or ``voice_unavailable``.
      ModelError: ``model_unavailable``: on one machine that may not fetch what is missing. With a broker, the workers
        are elsewhere, and what is installed here says nothing.
    """
    try:
        _choose(parts, new, chunk_stages(new.type, from_text=from_text))
    except ModelError:
        if parts.settings.embedded:
            raise


def _choose(parts: Services, new: NewJob, stages: tuple[Stage, ...]) -> None:
    source = None if new.source_language == "auto" else new.source_language
    target = new.target_language or source
    if Stage.TRANSCRIBE in stages:
        select.recognizer(parts.catalog, parts.models, source, new.options.get("speech_model"))
    if Stage.TRANSLATE in stages and source and target and source != target:
        select.route(parts.catalog, parts.models, source, target)
    if Stage.SYNTHESIZE in stages and target:
        for voice_id in (new.options.get("voice"), *(new.options.get("voices") or {}).values()):
            select.voice(parts.catalog, parts.models, target, voice_id)


def check_voices(parts: Services, language: str, ids: Iterable[str]) -> None:
    """Refuse voices that there are not for a language. Looks at the disk.

    Raises:
      InputError, ModelError: As ``check_models``.
    """
    try:
        for voice_id in ids:
            select.voice(parts.catalog, parts.models, language, voice_id)
    except ModelError:
        if parts.settings.embedded:
            raise


@operation("List languages", scope=Scope.READ, answers={200: LanguageListOut})
async def list_languages(request: Request) -> Response:
    """``GET /languages``: what is heard, what is translated into what, what is spoken."""
    parts = services(request)
    installed = await parts.io(_installed, parts)
    models = [model for model in parts.catalog.models if _available(parts, model, installed)]
    heard = {code for model in models if model.task is Task.SPEECH for code in model.languages}
    spoken = {voice.language for model in models for voice in model.voices}
    targets = select.targets(models)
    codes = heard | spoken | targets.keys() | {target for many in targets.values() for target in many}
    found = [
        LanguageOut(
            code=code,
            name=languages.name(code),
            recognized=code in heard,
            spoken=code in spoken,
            translated_to=sorted(targets.get(code, ())),
        )
        for code in sorted(codes)
    ]
    return answer(LanguageListOut(languages=found))


@operation("List voices", scope=Scope.READ, answers={200: VoiceListOut})
async def list_voices(request: Request) -> Response:
    """``GET /voices``: who can speak, and in which language."""
    parts = services(request)
    installed = await parts.io(_installed, parts)
    found = [
        VoiceOut(
            id=voice.id,
            language=voice.language,
            name=voice.name,
            gender=voice.gender,
            model=model.id,
            installed=model.id in installed,
            available=_available(parts, model, installed),
        )
        for model in parts.catalog.of(Task.VOICE)
        for voice in model.voices
    ]
    return answer(VoiceListOut(voices=found))


@operation("List models", scope=Scope.READ, answers={200: ModelListOut})
async def list_models(request: Request) -> Response:
    """``GET /models``: which models there are, and which are installed where this API runs."""
    parts = services(request)
    installed = await parts.io(_installed, parts)
    found = [
        ModelOut(
            id=model.id,
            task=model.task,
            engine=model.engine,
            languages=model.languages,
            licence=model.licence,
            size=model.size,
            sha256=model.sha256,
            installed=model.id in installed,
            available=_available(parts, model, installed),
        )
        for model in parts.catalog.models
    ]
    return answer(ModelListOut(models=found))


def _available(parts: Services, model: Model, installed: Container[str]) -> bool:
    """Whether jobs may use a model. With a broker the workers are elsewhere: what is not here may well be there."""
    fetched = select.may_fetch(model, auto_pull=parts.settings.auto_pull)
    return model.id in installed or fetched or not parts.settings.embedded


def _installed(parts: Services) -> set[str]:
    return {model.id for model in parts.catalog.models if parts.models.installed(model)}
