"""JSON bodies: read as far as they may be long, and parsed."""

from collections.abc import Callable
from typing import Any, Final

from starlette.requests import Request

from octavia.api.http import checks
from octavia.errors import InputError

SMALL: Final = 64 * 1024
"""Bytes that any request but one with a text can do with."""

_BYTES_A_CHARACTER: Final = 12  # two escapes of a surrogate pair


def limit_for(characters: int) -> int:
    """Bytes that a request with so long a text in JSON can need."""
    return characters * _BYTES_A_CHARACTER + SMALL


def too_large() -> InputError:
    """The error for a body that is larger than ``SMALL``."""
    return InputError(
        f"The request is larger than {SMALL:,} bytes.",
        code="body_too_large",
        hint="Send only the fields that it takes.",
    )


async def json_body(request: Request, limit: int = SMALL, error: Callable[[], InputError] = too_large) -> Any:
    """What a request says in JSON.

    Parameters:
      limit: In bytes; ``error`` makes the error for more.

    Raises:
      InputError: That error, or ``bad_json``.
    """
    return _parsed(await _read(request, limit, error))


async def optional_json_body(request: Request) -> Any | None:
    """What a request says in JSON, if it has a body.

    Raises:
      InputError: ``body_too_large`` or ``bad_json``.
    """
    data = await _read(request, SMALL, too_large)
    return _parsed(data) if data else None


async def _read(request: Request, limit: int, error: Callable[[], InputError]) -> bytearray:
    check_declared_size(request, limit, error)
    data = bytearray()
    async for block in request.stream():
        data += block
        if len(data) > limit:
            raise error()
    return data


def _parsed(data: bytearray) -> Any:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("The JSON is not UTF-8.", code="bad_json", hint="Encode it as UTF-8.") from None
    return checks.parse_json(text)


def check_declared_size(request: Request, limit: int, error: Callable[[], InputError]) -> None:
    """Refuse a body that says itself that it is too large, before any of it is read."""
    if declared_size(request) > limit:
        raise error()


def declared_size(request: Request) -> int:
    """The bytes that a body says itself that it has; 0 if it says nothing of the kind."""
    declared = request.headers.get("content-length", "0")
    return int(declared) if declared.isascii() and declared.isdigit() else 0
