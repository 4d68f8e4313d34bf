"""What this deployment can do: ``/languages``, ``/voices``, ``/models``; and whether it can do what a job asks."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from octavia.api.services import Services, services
from octavia.catalog import Task, languages, select
from octavia.errors import ModelError
from octavia.jobs.records import NewJob
from octavia.jobs.states import Stage, chunk_stages


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
        select.recognizer(parts.catalog, parts.models, source)
    if Stage.TRANSLATE in stages and source and target and source != target:
        select.route(parts.catalog, parts.models, source, target)
    if Stage.SYNTHESIZE in stages and target:
        select.voice(parts.catalog, parts.models, target, new.options.get("voice"))


async def list_languages(request: Request) -> JSONResponse:
    """``GET /languages``: what is heard, what is translated into what, what is spoken."""
    catalog = services(request).catalog
    heard = {code for model in catalog.of(Task.SPEECH) for code in model.languages}
    spoken = {voice.language for model in catalog.of(Task.VOICE) for voice in model.voices}
    targets: dict[str, set[str]] = {}
    for model in catalog.of(Task.TRANSLATION):
        for source, target in model.pairs:
            targets.setdefault(source, set()).add(target)
    codes = heard | spoken | targets.keys() | {target for many in targets.values() for target in many}
    found = [
        {
            "code": code,
            "name": languages.name(code),
            "recognized": code in heard,
            "spoken": code in spoken,
            "translated_to": sorted(targets.get(code, ())),
        }
        for code in sorted(codes)
    ]
    return JSONResponse({"languages": found})


async def list_voices(request: Request) -> JSONResponse:
    """``GET /voices``: who can speak, and in which language."""
    parts = services(request)
    installed = await parts.io(_installed, parts)
    found = [
        {
            "id": voice.id,
            "language": voice.language,
            "name": voice.name,
            "gender": voice.gender,
            "model": model.id,
            "installed": model.id in installed,
        }
        for model in parts.catalog.of(Task.VOICE)
        for voice in model.voices
    ]
    return JSONResponse({"voices": found})


async def list_models(request: Request) -> JSONResponse:
    """``GET /models``: which models there are, and which are installed where this API runs."""
    parts = services(request)
    installed = await parts.io(_installed, parts)
    found: list[dict[str, Any]] = [
        {
            "id": model.id,
            "task": model.task,
            "engine": model.engine,
            "languages": model.languages,
            "licence": model.licence,
            "size": model.size,
            "sha256": model.sha256,
            "installed": model.id in installed,
        }
        for model in parts.catalog.models
    ]
    return JSONResponse({"models": found})


def _installed(parts: Services) -> set[str]:
    return {model.id for model in parts.catalog.models if parts.models.installed(model)}
