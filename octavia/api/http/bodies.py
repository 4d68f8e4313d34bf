"""JSON bodies: requests are read up to a limit and parsed, answers are written."""

from collections.abc import Callable
from typing import Any, Final

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from octavia import compact_json
from octavia.api.http import checks
from octavia.errors import InputError

SMALL: Final = 64 * 1024
"""Bytes that are enough for every request without a text."""

_BYTES_A_CHARACTER: Final = 12  # two escapes of a surrogate pair


class QuotingJSON(JSONResponse):
    """JSON that may quote a client's text, whose unpaired surrogates are escaped."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return compact_json.dumps(content).encode("utf-8", "backslashreplace")


def answer(
    content: BaseModel, status: int = 200, headers: dict[str, str] | None = None, *, exclude_none: bool = False
) -> Response:
    """Return a JSON answer that no cache keeps."""
    return Response(
        content.model_dump_json(exclude_none=exclude_none),
        status,
        headers={"cache-control": "no-store", **(headers or {})},
        media_type="application/json",
    )


def limit_for(characters: int) -> int:
    """Return how many bytes a JSON request may have whose text has so many characters."""
    return characters * _BYTES_A_CHARACTER + SMALL


def too_large() -> InputError:
    """Return the error for a body that is larger than ``SMALL``."""
    return InputError(
        f"The request is larger than {SMALL:,} bytes.",
        code="body_too_large",
        hint="Send only the fields that this request takes.",
    )


async def json_body(request: Request, limit: int = SMALL, error: Callable[[], InputError] = too_large) -> Any:
    """Read and parse a request's body.

    Parameters:
      limit: In bytes; ``error`` makes the error for a longer body.

    Raises:
      InputError: That error, or ``bad_json``.
    """
    return _parsed(await _read(request, limit, error))


async def optional_json_body(request: Request) -> Any | None:
    """Read and parse a request's body; None if it has none.

    Raises ``InputError`` (``body_too_large`` or ``bad_json``).
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
    """Raise ``error()`` for a body whose ``Content-Length`` is above the limit, before any of it is read."""
    if declared_size(request) > limit:
        raise error()


def declared_size(request: Request) -> int:
    """Return the ``Content-Length`` in bytes; 0 without a valid one."""
    declared = request.headers.get("content-length", "0")
    return int(declared) if declared.isascii() and declared.isdigit() else 0
