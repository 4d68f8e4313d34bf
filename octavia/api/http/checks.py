"""Checks of values from clients; each error names the field."""

import json
import math
import re
from collections.abc import Collection, Iterator
from typing import Any, Final, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError
from starlette.datastructures import QueryParams
from starlette.requests import HTTPConnection

from octavia import compact_json
from octavia.errors import InputError, NotFound
from octavia.media import formats
from octavia.text import glossaries

M = TypeVar("M", bound=BaseModel)

METADATA_BYTES: Final = 4096
METADATA_DEPTH: Final = 16

_METADATA: Final = "metadata."
_FILTER_CHARS: Final = 500
_MOST_FILTERS: Final = 10
_MOST_SPEAKERS: Final = 100
_VOICE_ID: Final = re.compile(r"[\w./-]{1,100}")
JSON_DEPTH: Final = 32
_TOO_DEEP: Final = f"it is nested more than {JSON_DEPTH} levels deep"


def validate(model: type[M], values: Any) -> M:
    """Check values against a model.

    Raises ``InputError`` about the first wrong field; its hint is the field's description.
    """
    try:
        return model.model_validate(values)
    except ValidationError as invalid:
        raise _input_error(model, invalid.errors(include_url=False, include_context=False)[0]) from None


def validate_some(model: type[M], values: Any) -> None:
    """Check the values that are known so far; missing ones are no error yet. Raises as ``validate``."""
    try:
        model.model_validate(values)
    except ValidationError as invalid:
        for error in invalid.errors(include_url=False, include_context=False):
            if error["type"] != "missing":
                raise _input_error(model, error) from None


def parse_json(text: str, *, field: str | None = None) -> Any:
    """Parse JSON as RFC 8259 defines it, without NaN and Infinity, at most ``JSON_DEPTH`` levels deep.

    Parameters:
      field: The form field that has the JSON; None for the whole body.

    Raises:
      InputError: ``bad_json``.
    """
    try:
        value = json.loads(text, parse_constant=_no_constant)
        if _depth(value) <= JSON_DEPTH:
            return value
        reason = _TOO_DEEP
    except RecursionError:
        reason = _TOO_DEEP
    except ValueError as error:  # JSONDecodeError, or a number of too many digits
        reason = str(error)
    raise InputError(f"This is not JSON: {reason}.", code="bad_json", hint="Check quotes and commas.", field=field)


def check_text(text: str, *, field: str) -> None:
    """Refuse unpaired surrogates, which JSON can express, and NUL, which PostgreSQL cannot store.

    Raises ``InputError`` (``invalid_field``).
    """
    try:
        text.encode()
        bad = "\0" in text
    except UnicodeEncodeError:
        bad = True
    if bad:
        raise InputError(
            "The text contains a NUL or an unpaired surrogate.",
            code="invalid_field",
            hint="Remove it, and send only Unicode characters.",
            field=field,
        )


def audio_formats(value: Any) -> Any:
    """Return audio formats from a list, from names separated by commas, or from a list of such; without duplicates.

    Raises ``InputError`` (``unsupported_format``).
    """
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
        return value
    return formats.chosen(given)


def metadata(value: Any) -> dict[str, Any]:
    """Return metadata from an object, or from its JSON as forms send it, if every database can store it.

    Raises ``InputError`` (``bad_json``, ``invalid_field`` or ``metadata_too_large``).
    """
    if isinstance(value, str):
        value = parse_json(value, field="metadata")
    if not isinstance(value, dict):
        raise _bad_metadata("The metadata is not a JSON object.", hint='For example {"project": "spring"}.')
    for item, depth in _walk(value):
        if depth > METADATA_DEPTH:
            raise _bad_metadata("The metadata is nested too deeply.", hint=f"Use at most {METADATA_DEPTH} levels.")
        if isinstance(item, str):
            check_text(item, field="metadata")
        elif isinstance(item, float) and not math.isfinite(item):
            raise _bad_metadata("The metadata has a number that is too large.", hint="Write it as a string.")
    if len(compact_json.dumps(value).encode()) > METADATA_BYTES:
        raise InputError(
            f"The metadata is larger than {METADATA_BYTES} bytes.",
            code="metadata_too_large",
            hint="Keep the data elsewhere, and send only its id.",
            field="metadata",
        )
    return value


def glossary(value: Any) -> dict[str, str] | None:
    """Return a glossary from an object, or from its JSON as forms send it; None if it has no terms.

    Raises ``InputError`` (``bad_json`` or ``invalid_field``).
    """
    if isinstance(value, str):
        value = parse_json(value, field="glossary")
    return None if value is None else glossaries.checked(value) or None


def voices(value: Any) -> dict[str, str] | None:
    """Return voices by speaker from an object, or from its JSON as forms send it; None if it has no speakers.

    Raises ``InputError`` (``bad_json`` or ``invalid_field``).
    """
    if isinstance(value, str):
        value = parse_json(value, field="voices")
    if value is None:
        return None
    right = isinstance(value, dict) and len(value) <= _MOST_SPEAKERS
    if not right or not all(isinstance(id, str) and _VOICE_ID.fullmatch(id) for id in value.values()):
        raise InputError(
            f"The voices are not a JSON object of at most {_MOST_SPEAKERS} speakers with the ids of their voices.",
            code="invalid_field",
            hint='For example {"Alice": "ef_dora"}; /api/v1/voices lists them.',
            field="voices",
        )
    found = {" ".join(speaker.split()): id for speaker, id in value.items()}
    for speaker in found:
        check_text(speaker, field="voices")
    return found or None


def metadata_filters(query: QueryParams) -> tuple[dict[str, str], dict[str, str]]:
    """Split a query into the values that metadata fields must have, by field, and the other parameters.

    Raises ``InputError`` (``invalid_field``).
    """
    filters: dict[str, str] = {}
    rest: dict[str, str] = {}
    for name, value in query.multi_items():
        key = name.removeprefix(_METADATA)
        if key == name:
            rest[name] = value
            continue
        if not key or max(len(key), len(value)) > _FILTER_CHARS or len(filters) >= _MOST_FILTERS:
            raise InputError(
                "This metadata filter cannot be used.",
                code="invalid_field",
                hint=f"Send at most {_MOST_FILTERS} {_METADATA}KEY=VALUE, each of at most {_FILTER_CHARS} characters.",
                field=name[:100],
            )
        check_text(key, field="metadata")
        check_text(value, field=name[:100])
        filters[key] = value
    return filters, rest


def unknown_field(name: str, known: Collection[str]) -> InputError:
    """Return the error for an unknown field; its hint lists those in ``known``."""
    return InputError(
        f"There is no field {name[:100]!r}.",
        code="unknown_field",
        hint=f"The fields are {', '.join(known)}.",
        field=name[:100],
    )


def job_id_of(connection: HTTPConnection) -> UUID:
    """Return the job id in the path. Raises ``NotFound`` (``invalid_job_id``) if it is not a UUID."""
    given = connection.path_params["job_id"]
    try:
        job_id = UUID(given)
    except ValueError:
        job_id = None
    if job_id is None or str(job_id) != given.lower():
        raise NotFound(
            f"{given[:100]!r} is not a job id.",
            code="invalid_job_id",
            hint="Use the UUID in the answer to the submission.",
            field="job_id",
        )
    return job_id


def _input_error(model: type[BaseModel], error: Any) -> InputError:
    if not error["loc"]:
        return InputError("The request is not a JSON object.", code="bad_json", hint="Send the fields as an object.")
    field = str(error["loc"][0])
    known = {given.alias or name: given for name, given in model.model_fields.items()}
    if error["type"] == "extra_forbidden":
        return unknown_field(field, known)
    hint = known[field].description or ""
    if error["type"] == "missing":
        return InputError(f"The field {field} is missing.", code="missing_field", hint=hint, field=field)
    return InputError(f"{field}: {error['msg']}.", code="invalid_field", hint=hint, field=field)


def _bad_metadata(message: str, *, hint: str) -> InputError:
    return InputError(message, code="invalid_field", hint=hint, field="metadata")


def _walk(value: Any) -> Iterator[tuple[Any, int]]:
    """Yield every key and value inside with its depth; not by recursion, which deep nesting would break."""
    rest = [(value, 1)]
    while rest:
        item, depth = rest.pop()
        yield item, depth
        if isinstance(item, dict):
            rest += ((inner, depth + 1) for pair in item.items() for inner in pair)
        elif isinstance(item, list):
            rest += ((inner, depth + 1) for inner in item)


def _depth(value: Any) -> int:
    """Return how deep lists and objects are nested, at most ``JSON_DEPTH`` + 1; not by recursion."""
    depth, level = 0, [value]
    while level and depth <= JSON_DEPTH:
        inside = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, (dict, list))]
        level = [item for items in inside for item in items]
        depth += bool(inside)
    return depth


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not allowed")
