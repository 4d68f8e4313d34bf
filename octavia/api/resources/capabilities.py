"""What this deployment can do: ``/languages``, ``/voices``, ``/models``; and whether it can do what a job asks."""

from collections.abc import Container

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import Context, context_of
from octavia.api.http.bodies import answer
from octavia.api.http.operations import operation
from octavia.catalog import Model, Task, languages, select
from octavia.jobs.access.keys import Scope


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


@operation("List languages", tag="Capabilities", scope=Scope.READ, answers={200: LanguageListOut})
async def list_languages(request: Request) -> Response:
    """``GET /languages``: what is heard, what is translated into what, what is spoken."""
    context = context_of(request)
    installed = await context.io(_installed, context)
    models = [model for model in context.catalog.models if _available(context, model, installed)]
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
    """``GET /voices``: who can speak, and in which language."""
    context = context_of(request)
    installed = await context.io(_installed, context)
    found = [
        VoiceOut(
            id=voice.id,
            language=voice.language,
            name=voice.name,
            gender=voice.gender,
            model=model.id,
            installed=model.id in installed,
            available=_available(context, model, installed),
        )
        for model in context.catalog.of(Task.VOICE)
        for voice in model.voices
    ]
    return answer(VoiceListOut(voices=found))


@operation("List models", tag="Capabilities", scope=Scope.READ, answers={200: ModelListOut})
async def list_models(request: Request) -> Response:
    """``GET /models``: which models there are, and which are installed where this API runs."""
    context = context_of(request)
    installed = await context.io(_installed, context)
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
            available=_available(context, model, installed),
        )
        for model in context.catalog.models
    ]
    return answer(ModelListOut(models=found))


def _available(context: Context, model: Model, installed: Container[str]) -> bool:
    """Whether jobs may use a model. With a broker the workers are elsewhere: what is not here may well be there."""
    fetched = select.may_fetch(model, auto_pull=context.settings.auto_pull)
    return model.id in installed or fetched or not context.settings.embedded


def _installed(context: Context) -> set[str]:
    return {model.id for model in context.catalog.models if context.models.installed(model)}
