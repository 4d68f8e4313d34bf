"""The parts that both clients share: how to connect to the server, and the reading of its answers."""

import os
from typing import Any, TypeVar

import httpx

from octavia import __version__
from octavia.client.calls import Call
from octavia.client.errors import ServerError, error_of
from octavia.client.patience import ONCE
from octavia.errors import InputError
from octavia.url_checks import check_proxies, checked_web

T = TypeVar("T")


def connection_options(base_url: str, api_key: str | None, timeout: float) -> dict[str, Any]:
    """The arguments for the constructor of an httpx client; parameters as for ``Octavia``.

    Raises:
      InputError: The address, or a proxy of the environment, is no URL; httpx would repeat a part of it.
    """
    url = base_url.strip()
    try:
        checked_web(url)
    except ValueError as error:
        hint = "Give one such as http://127.0.0.1:8000."
        raise InputError(f"The address of the server {error}.", hint=hint) from None
    try:
        check_proxies(os.environ)
    except ValueError as error:
        raise InputError(f"The server cannot be asked: {error}.", hint="Correct the environment.") from None
    headers = {"User-Agent": f"octavia/{__version__}"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key.strip()}"
    return {"base_url": url, "headers": headers, "timeout": httpx.Timeout(timeout, connect=10)}


def arguments_of(call: Call[Any]) -> dict[str, Any]:
    """The arguments of a call for ``request`` of an httpx client."""
    return call.arguments if call.repeatable else {**call.arguments, "extensions": {"retry": ONCE}}


def result(call: Call[T], answer: httpx.Response) -> T:
    """Parse an answer that has been read.

    Raises:
      ApiError: The answer reports an error, or is not one of Octavia (``unexpected_answer``).
    """
    if not answer.is_success and not _deleted_before(answer):
        raise error_of(answer)
    try:
        return call.parse(answer)
    except ValueError:
        raise ServerError(
            "The answer of the server cannot be understood.",
            status=answer.status_code,
            code="unexpected_answer",
            hint="Check that the address is that of an Octavia server, and that it is not older than this client.",
        ) from None


def _deleted_before(answer: httpx.Response) -> bool:
    """Return whether a repeated deletion found the job gone, because the first one succeeded."""
    repeated = getattr(answer.extensions.get("retry"), "attempts_made", 0)
    return answer.request.method == "DELETE" and answer.status_code == 404 and repeated > 0
