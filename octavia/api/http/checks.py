"""Checks of what clients send, each with an error that names the field."""

import json
import math
import re
from collections.abc import Collection, Iterator
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import QueryParams

from octavia import compact_json
from octavia.errors import InputError
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

    Raises:
      InputError: For the first that is wrong, with the field's description as the hint.
    """
    try:
        return model.model_validate(values)
    except ValidationError as invalid:
        raise _input_error(model, invalid.errors(include_url=False, include_context=False)[0]) from None


def validate_some(model: type[M], values: Any) -> None:
    """Check those values that are known by now; that others are missing is no error yet.

    Raises:
      InputError: As ``validate``.
    """
    try:
        model.model_validate(values)
    except ValidationError as invalid:
        for error in invalid.errors(include_url=False, include_context=False):
            if error["type"] != "missing":
                raise _input_error(model, error) from None


def parse_json(text: str, *, field: str | None = None) -> Any:
    """JSON as RFC 8259 has it: no NaN, no Infinity; and no deeper than whoever works on it can bear.

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
    """Refuse what is no text although JSON can write it: half characters, and NUL, which PostgreSQL cannot keep.

    Raises:
      InputError: ``invalid_field``.
    """
    try:
        text.encode()
        bad = "\0" in text
    except UnicodeEncodeError:
        bad = True
    if bad:
        raise InputError(
            "The text has a NUL or half a surrogate pair in it.",
            code="invalid_field",
            hint="Remove it: text is Unicode characters.",
            field=field,
        )


def audio_formats(value: Any) -> Any:
    """A list, or names parted by commas, or both at once as forms send them; doubles are dropped.

    Raises:
      InputError: ``unsupported_format``.
    """
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
        return value
    return formats.chosen(given)


def metadata(value: Any) -> dict[str, Any]:
    """A JSON object, in forms as text, that every database can keep.

    Raises:
      InputError: ``bad_json``, ``invalid_field`` or ``metadata_too_large``.
    """
    if isinstance(value, str):
        value = parse_json(value, field="metadata")
    if not isinstance(value, dict):
        raise _bad_metadata("The metadata is not a JSON object.", hint='For example {"project": "spring"}.')
    for item, depth in _walk(value):
        if depth > METADATA_DEPTH:
            raise _bad_metadata("The metadata is nested too deeply.", hint=f"At most {METADATA_DEPTH} levels.")
        if isinstance(item, str):
            check_text(item, field="metadata")
        elif isinstance(item, float) and not math.isfinite(item):
            raise _bad_metadata("The metadata has a number that is too large.", hint="Write it as a string.")
    if len(compact_json.dumps(value).encode()) > METADATA_BYTES:
        raise InputError(
            f"The metadata is larger than {METADATA_BYTES} bytes.",
            code="metadata_too_large",
            hint="Keep it elsewhere, and only its id here.",
            field="metadata",
        )
    return value


def glossary(value: Any) -> dict[str, str] | None:
    """A JSON object of terms, in forms as text; None for one without any.

    Raises:
      InputError: ``bad_json`` or ``invalid_field``.
    """
    if isinstance(value, str):
        value = parse_json(value, field="glossary")
    return None if value is None else glossaries.checked(value) or None


def voices(value: Any) -> dict[str, str] | None:
    """A JSON object of speakers and their voices, in forms as text; None for one without any.

    Raises:
      InputError: ``bad_json`` or ``invalid_field``.
    """
    if isinstance(value, str):
        value = parse_json(value, field="voices")
    if value is None:
        return None
    right = isinstance(value, dict) and len(value) <= _MOST_SPEAKERS
    if not right or not all(isinstance(id, str) and _VOICE_ID.fullmatch(id) for id in value.values()):
        raise InputError(
            f"The voices are no JSON object of at most {_MOST_SPEAKERS} speakers and the ids of their voices.",
            code="invalid_field",
            hint='For example {"Alice": "ef_dora"}; /api/v1/voices lists them.',
            field="voices",
        )
    found = {" ".join(speaker.split()): id for speaker, id in value.items()}
    for speaker in found:
        check_text(speaker, field="voices")
    return found or None


def metadata_filters(query: QueryParams) -> tuple[dict[str, str], dict[str, str]]:
    """Parts a query into the values that fields of the metadata shall have, by field, and the rest.

    Raises:
      InputError: ``invalid_field``.
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
                "This filter of the metadata cannot be used.",
                code="invalid_field",
                hint=f"Use {_METADATA}KEY=VALUE, of at most {_FILTER_CHARS} characters each, {_MOST_FILTERS} times.",
                field=name[:100],
            )
        check_text(key, field="metadata")
        check_text(value, field=name[:100])
        filters[key] = value
    return filters, rest


def unknown_field(name: str, known: Collection[str]) -> InputError:
    """The error for a field that there is not."""
    return InputError(
        f"There is no field {name[:100]!r}.",
        code="unknown_field",
        hint=f"There are {', '.join(known)}.",
        field=name[:100],
    )


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
    """Every key and value inside, with its depth; without recursion, so that depth cannot break it."""
    rest = [(value, 1)]
    while rest:
        item, depth = rest.pop()
        yield item, depth
        if isinstance(item, dict):
            rest += ((inner, depth + 1) for pair in item.items() for inner in pair)
        elif isinstance(item, list):
            rest += ((inner, depth + 1) for inner in item)


def _depth(value: Any) -> int:
    """How deep lists and objects are nested, counted up to one more than they may be; without recursion."""
    depth, level = 0, [value]
    while level and depth <= JSON_DEPTH:
        inside = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, (dict, list))]
        level = [item for items in inside for item in items]
        depth += bool(inside)
    return depth


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not allowed")
