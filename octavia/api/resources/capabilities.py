"""``/languages``, ``/voices`` and ``/models``: the capabilities of this deployment."""

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import Context, context_of
from octavia.api.http.bodies import answer
from octavia.api.http.operations import operation
from octavia.api.schemas.answers import from_record
from octavia.api.submission.supported import is_available
from octavia.catalog import Task, languages, select
from octavia.jobs.access.keys import Scope


class LanguageOut(BaseModel):
    """A language and its uses in jobs, with models that are installed or fetched when needed."""

    code: str
    name: str
    recognized: bool
    spoken: bool
    translated_to: list[str]


class LanguageListOut(BaseModel):
    """The languages of this deployment."""

    languages: list[LanguageOut]


class VoiceOut(BaseModel):
    """A voice and its language; ``available``: a job may name it."""

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
    """A model; ``size`` in bytes; ``available``: installed, or fetched when a job needs it."""

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


@operation("List languages", tag="Capabilities", scope=Scope.READ, answers={200: LanguageListOut})
async def list_languages(request: Request) -> Response:
    """``GET /languages``: which are recognised, translated into which others, and spoken."""
    context = context_of(request)
    _, available = await context.io(_installed_and_available, context)
    models = [model for model in context.catalog.models if model.id in available]
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


@operation("List voices", tag="Capabilities", scope=Scope.READ, answers={200: VoiceListOut})
async def list_voices(request: Request) -> Response:
    """``GET /voices``: all voices, with their languages."""
    context = context_of(request)
    installed, available = await context.io(_installed_and_available, context)
    found = [
        from_record(VoiceOut, voice, model=model.id, installed=model.id in installed, available=model.id in available)
        for model in context.catalog.of(Task.VOICE)
        for voice in model.voices
    ]
    return answer(VoiceListOut(voices=found))


@operation("List models", tag="Capabilities", scope=Scope.READ, answers={200: ModelListOut})
async def list_models(request: Request) -> Response:
    """``GET /models``: all models, and which of them are installed where this API runs."""
    context = context_of(request)
    installed, available = await context.io(_installed_and_available, context)
    found = [
        from_record(ModelOut, model, installed=model.id in installed, available=model.id in available)
        for model in context.catalog.models
    ]
    return answer(ModelListOut(models=found))


def _installed_and_available(context: Context) -> tuple[set[str], set[str]]:
    """Return the ids of models that are installed here, and of those that jobs may use. Reads the disk."""
    models = context.catalog.models
    installed = {model.id for model in models if context.models.installed(model)}
    return installed, installed | {model.id for model in models if is_available(context, model)}
