"""The description of the API (OpenAPI 3.1), made from the routes' operations and their models."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from starlette.routing import BaseRoute

from octavia import __version__
from octavia.api.http.operations import DescribedRoute, Operation
from octavia.api.http.problems import PROBLEM_KINDS, ErrorFormat, Problem, format_of
from octavia.api.submission.room import NO_ROOM
from octavia.jobs.access.keys import Scope
from octavia.media.formats import FORMATS
from octavia.subtitles import MEDIA_TYPES, SUBTITLE_FORMATS

_SECURITY: Final = "key"
_REF: Final = "#/components/schemas/{model}"
_FILES: Final = {"multipart/form-data"}
_NOT_IN_FORMS: Final = ("text", "input_url")

_ANY: Final = (
    *("host_not_allowed", "proxy_not_allowed", "origin_not_allowed"),
    *("internal_error", "database_unavailable"),
)
_KEYED: Final = (
    *("key_required", "invalid_key", "key_expired", "key_revoked", "session_expired"),
    *("scope_missing", "rate_limited"),
)
_WITH_BODY: Final = (
    *("bad_json", "unknown_field", "upload_broken_off", "invalid_field", "missing_field", "unsupported_content_type"),
    *("body_too_large", "upload_stalled", "upload_too_slow"),
)
_WITH_FILE: Final = (
    "bad_multipart",
    "duplicate_field",
    "several_files",
    "upload_too_large",
    "empty_file",
    "bad_subtitles",
    "media_too_long",
)
_CREATES_JOBS: Final = (
    *NO_ROOM,
    *("not_applicable", "wrong_input", "language_required", "unknown_language", "same_language", "unsupported_pair"),
    *("unsupported_source_language", "unsupported_format", "voice_unavailable", "model_unavailable", "text_empty"),
    *("text_too_long", "field_too_long", "metadata_too_large", "url_not_allowed", "webhook_secret_required"),
)

_UUID: Final = {"type": "string", "format": "uuid"}
_PATH: Final[dict[str, dict[str, Any]]] = {
    "job_id": _UUID,
    "delivery_id": _UUID,
    "utterance_id": {"type": "string", "minLength": 1, "examples": ["0-3"]},
    "key_id": {"type": "string", "minLength": 1},
    "pause_id": _UUID,
    "letter_id": {"type": "string", "minLength": 1, "examples": ["3f1c8b0a9d2e"]},
    "model_id": {"type": "string", "minLength": 1},
    "name": {"type": "string", "minLength": 1, "examples": ["dub.json"]},
    "code": {"type": "string", "minLength": 1, "examples": ["job_not_found"]},
    "file": {"type": "string", "minLength": 1},
    "version": {"type": "string", "minLength": 1},
}

_HEADERS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "Idempotency-Key": (
        {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x21-\x7e]+$"},
        "Any text: a repeated request with the same key has no second effect, and gets the first answer again.",
    ),
    "Prefer": (
        {"type": "string", "examples": ["wait=60"]},
        "wait=N: answer when the job has ended, or after N seconds.",
    ),
    "If-Match": (
        {"type": "string", "examples": ['"1"']},
        "The ETag of the version that you read: 412 if it has changed since.",
    ),
    "Last-Event-ID": ({"type": "string", "pattern": r"^\d{1,9}$"}, "The id of the last event received."),
    "Range": ({"type": "string", "examples": ["bytes=0-1023"]}, "Part of the file."),
    "If-None-Match": ({"type": "string"}, "The ETag of your version: 304 if it is still current."),
}
_ANSWERED: Final[dict[str, str]] = {
    "Location": "The address of the job.",
    "Retry-After": "Seconds to wait before trying again.",
    "ETag": "Changes with the content.",
    "RateLimit-Limit": "Requests that the key may send a minute.",
    "RateLimit-Remaining": "Requests that are left.",
    "RateLimit-Reset": "Seconds until all requests are available again.",
}
_TAGS: Final = (
    ("Jobs", "Submit, list, show, start, wait, cancel, retry, delete."),
    ("Results", "Files that a job made."),
    ("Utterances", "Transcript and translation, line by line, to read and edit."),
    ("Live", "Events of a job while it runs; a WebSocket at …/ws sends them, too."),
    ("Webhooks", "Notifications of a job's end."),
    ("Capabilities", "Languages, voices and models of this deployment."),
    ("Keys", "API keys, for administrators; sessions of browsers, in exchange for a key."),
    ("Operator", "Jobs of all owners, workers and queues, for operators."),
    ("OpenAI", "OpenAI's protocol for speech, served by the same jobs."),
    ("Service", "Health, and the description of the API."),
)


def describe(routes: Sequence[BaseRoute], formats: Sequence[ErrorFormat]) -> dict[str, Any]:
    """Return the description as JSON values, without servers; ``formats`` are the error formats of path prefixes."""
    operations = list(_operations(routes, ""))
    names, schemas = _schemas((operation for _, _, operation in operations), formats)
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for path, method, operation in operations:
        paths[path][method.lower()] = _operation(path, operation, names, format_of(formats, path))
    schemas = _referred(paths, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Octavia",
            "version": __version__,
            "summary": "Recorded speech in one language into text, subtitles and spoken audio in another.",
            "license": {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
        },
        "tags": [{"name": name, "description": description} for name, description in _TAGS],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                _SECURITY: {"type": "http", "scheme": "bearer", "description": "A key: `octavia keys create`."}
            },
        },
    }


def _operations(routes: Iterable[BaseRoute], prefix: str) -> Iterator[tuple[str, str, Operation]]:
    for route in routes:
        if isinstance(route, DescribedRoute):
            for method, operation in route.operations.items():
                yield prefix + re.sub(r":\w+}", "}", route.path), method, operation
        elif inner := getattr(route, "routes", None):
            yield from _operations(inner, prefix + getattr(route, "path", ""))


def _referred(content: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas that content refers to, directly or indirectly; those of queries and forms are inlined."""
    waiting, found = [content], set[str]()
    while waiting:
        named = set(re.findall(r"#/components/schemas/([\w.-]+)", json.dumps(waiting.pop()))) - found
        found |= named
        waiting += [schemas[name] for name in named]
    return {name: schema for name, schema in schemas.items() if name in found}


Names = Mapping[tuple[Any, JsonSchemaMode], dict[str, Any]]


def _schemas(operations: Iterable[Operation], formats: Iterable[ErrorFormat]) -> tuple[Names, dict[str, Any]]:
    """Return references by model, and all schemas that they need."""
    wanted: set[tuple[type[BaseModel], JsonSchemaMode]] = {(Problem, "serialization")}
    wanted |= {(format.schema, "serialization") for format in formats}
    for operation in operations:
        wanted |= {(model, "validation") for model in operation.body.values()}
        wanted |= {(operation.query, "validation")} if operation.query else set()
        wanted |= {(model, "serialization") for model in operation.answers.values() if isinstance(model, type)}
    ordered = sorted(wanted, key=lambda pair: (pair[0].__module__, pair[0].__qualname__, pair[1]))
    names, definitions = models_json_schema(ordered, by_alias=True, ref_template=_REF)
    return names, dict(sorted(definitions["$defs"].items()))


def _operation(path: str, operation: Operation, names: Names, errors: ErrorFormat | None) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name if errors is None else f"openai_{operation.name}",
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": _description(operation),
        "security": [] if operation.scope is None else [{_SECURITY: []}],
        "parameters": [*_path_parameters(path), *_query_parameters(operation), *_header_parameters(operation)],
        "responses": {**_answers(operation, names), **_problems(operation, names, errors)},
    }
    if operation.body:
        described["requestBody"] = {
            "required": not _may_be_empty(operation.body),
            "content": {kind: {"schema": _body(kind, model, names)} for kind, model in operation.body.items()},
        }
    return described


def _description(operation: Operation) -> str:
    """Return the docstring without the route at its beginning, and with the scope."""
    said = re.sub(r"^``[A-Z]+ [^`]+``[:.] *", "", operation.description)
    always = ", also where no other requests need one" if operation.scope is Scope.ADMIN else ""
    scope = f"Needs a key with the scope `{operation.scope}`{always}." if isinstance(operation.scope, Scope) else ""
    return f"{said[:1].upper()}{said[1:] or operation.summary}\n\n{scope}".strip()


def _path_parameters(path: str) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", path):
        schema = _PATH.get(name)
        if name == "format":
            schema = {"type": "string", "enum": list(_formats(path))}
        if schema is None:
            raise LookupError(f"_PATH has no schema for {name} in {path}")
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _formats(path: str) -> Iterable[str]:
    if "/audio." in path:
        return FORMATS
    return SUBTITLE_FORMATS if "/bilingual." in path else MEDIA_TYPES


def _query_parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    if operation.query is None:
        return
    schema = operation.query.model_json_schema(by_alias=True, ref_template=_REF)
    for name, field in schema["properties"].items():
        description, kind = field.pop("description", ""), _without_null(field)
        yield {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "description": description,
            # An empty value counts as none, which a format would exclude.
            "schema": {"anyOf": [kind, {"const": ""}]} if "format" in kind else kind,
        }


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    """Return a field's schema without null, which queries and forms do not have; they leave the field out."""
    kinds = [kind for kind in field.get("anyOf", ()) if kind != {"type": "null"}]
    rest = {name: value for name, value in field.items() if name not in ("anyOf", "default") or value is not None}
    if len(kinds) != 1:
        return rest
    return {**kinds[0], **{name: value for name, value in rest.items() if name not in ("anyOf", "default")}}


def _header_parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    for name in operation.headers:
        schema, description = _HEADERS[name]
        yield {"name": name, "in": "header", "required": False, "description": description, "schema": schema}


def _may_be_empty(body: Mapping[str, type[BaseModel]]) -> bool:
    return not any(field.is_required() for model in body.values() for field in model.model_fields.values())


def _body(kind: str, model: type[BaseModel], names: Names) -> dict[str, Any]:
    reference = dict(names[model, "validation"])
    if kind not in _FILES:
        return reference
    schema = model.model_json_schema(by_alias=True, ref_template=_REF)
    fields = {name: _without_null(field) for name, field in schema["properties"].items() if name not in _NOT_IN_FORMS}
    file = {"type": "string", "format": "binary", "description": "A recording, or subtitles."}
    return {
        "type": "object",
        "properties": {"file": file, **fields},
        "required": ["file", *schema.get("required", ())],
        "additionalProperties": False,
    }


def _answers(operation: Operation, names: Names) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status, content in operation.answers.items():
        answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
        if isinstance(content, str):
            answer["content"] = {content: {}}
        elif content is not None:
            answer["content"] = {"application/json": {"schema": names[content, "serialization"]}}
        headers = [
            *(["Location"] if status == 202 else []),
            *(["Retry-After"] if status == 503 else []),
            *(["ETag"] if 304 in operation.answers else []),
            *(["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"] if operation.scope is not None else []),
        ]
        if headers:
            answer["headers"] = {name: _header(name) for name in headers}
        answers[str(status)] = answer
    return answers


def _problems(operation: Operation, names: Names, errors: ErrorFormat | None) -> dict[str, Any]:
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in dict.fromkeys(_codes(operation)):
        status = PROBLEM_KINDS[code].status
        by_status[errors.status_of(status) if errors else status].append(code)
    kind = "application/json" if errors else "application/problem+json"
    schema = names[errors.schema if errors else Problem, "serialization"]
    answers: dict[str, Any] = {}
    for status, codes in sorted(by_status.items()):
        if status in operation.answers:
            continue
        answers[str(status)] = {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in codes)}",
            "content": {kind: {"schema": schema}},
        }
        if status in (429, 503):
            answers[str(status)]["headers"] = {"Retry-After": _header("Retry-After")}
    return answers


def _codes(operation: Operation) -> Iterator[str]:
    yield from _ANY
    if operation.scope is not None:
        yield from _KEYED
    if operation.scope is Scope.ADMIN:
        yield "admin_key_required"
    if operation.query is not None:
        yield from ("unknown_field", "invalid_field")
    if operation.body:
        yield from _WITH_BODY
        yield from (*_WITH_FILE, *_CREATES_JOBS) if _FILES & operation.body.keys() else ()
    yield from operation.problems


def _header(name: str) -> dict[str, Any]:
    kind = "string" if name in ("Location", "ETag") else "integer"
    return {"description": _ANSWERED[name], "schema": {"type": kind}}
