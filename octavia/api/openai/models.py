"""``/v1/models``: the models that a request may name. OpenAI's own names leave the choice to us."""

from typing import Final, Literal

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import Context, context_of
from octavia.api.http.bodies import answer
from octavia.api.http.operations import operation
from octavia.api.submission.supported import is_available
from octavia.catalog import Model, Task
from octavia.errors import NotFound
from octavia.jobs.access.keys import Scope

ALIASES: Final = {
    "whisper-1": Task.SPEECH,
    "gpt-transcribe": Task.SPEECH,
    "gpt-4o-transcribe": Task.SPEECH,
    "gpt-4o-mini-transcribe": Task.SPEECH,
    "gpt-4o-mini-transcribe-2025-12-15": Task.SPEECH,
    "tts-1": Task.VOICE,
    "tts-1-hd": Task.VOICE,
    "gpt-4o-mini-tts": Task.VOICE,
    "gpt-4o-mini-tts-2025-12-15": Task.VOICE,
}
"""OpenAI's model names, and the task of each."""


class OpenAIModelOut(BaseModel):
    """A model; ``created`` is unknown, and always 0."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "octavia"


class OpenAIModelListOut(BaseModel):
    """The models that requests may name."""

    object: Literal["list"] = "list"
    data: list[OpenAIModelOut]


@operation("List the models of the OpenAI protocol", tag="OpenAI", scope=Scope.READ, answers={200: OpenAIModelListOut})
async def list_models(request: Request) -> Response:
    """``GET /v1/models``: OpenAI's names, then our models for speech and voices."""
    context = context_of(request)
    ids = [*ALIASES, *(model.id for model in await context.io(_usable, context))]
    return answer(OpenAIModelListOut(data=[OpenAIModelOut(id=id) for id in ids]))


@operation(
    "Show a model of the OpenAI protocol",
    tag="OpenAI",
    scope=Scope.READ,
    answers={200: OpenAIModelOut},
    problems=("model_not_found",),
)
async def show_model(request: Request) -> Response:
    """``GET /v1/models/{model_id}``."""
    context, model_id = context_of(request), request.path_params["model_id"]
    if model_id not in ALIASES and model_id not in {model.id for model in await context.io(_usable, context)}:
        raise _not_found(model_id, hint="GET /v1/models lists all models.")
    return answer(OpenAIModelOut(id=model_id))


async def choose_model(context: Context, model_id: str, task: Task) -> Model | None:
    """Return the model that a request names; None if it leaves the choice to us.

    Raises ``NotFound`` (``model_not_found``) if no model of this name does this task.
    """
    if ALIASES.get(model_id) is task:
        return None
    usable = [model for model in await context.io(_usable, context) if model.task is task]
    named = next((model for model in usable if model.id == model_id), None)
    if named is None:
        names = [alias for alias, purpose in ALIASES.items() if purpose is task] + [model.id for model in usable]
        raise _not_found(model_id, hint=f"Choose one of {', '.join(names)}.")
    return named


def _usable(context: Context) -> list[Model]:
    """Return the recognisers and voices that jobs may use. Reads the disk."""
    return [
        model for model in context.catalog.models if model.task is not Task.TRANSLATION and is_available(context, model)
    ]


def _not_found(model_id: str, *, hint: str) -> NotFound:
    return NotFound(f"There is no model {model_id[:100]!r} for this.", code="model_not_found", hint=hint, field="model")
