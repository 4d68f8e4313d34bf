"""What a client knows of its server, and how it reads the server's answers."""

from typing import Any, TypeVar

import httpx

from octavia import __version__
from octavia.client.calls import Call
from octavia.client.errors import ServerError, error_of
from octavia.client.patience import ONCE

T = TypeVar("T")


class Connection:
    """What the synchronous and the asynchronous client have in common.

    Parameters:
      base_url: Of the server, without ``/api/v1``.
      api_key: A key such as ``oct_…``, if the server asks for one.
      timeout: The seconds that a server may be silent in the middle of a request.
      patience: For how many seconds ``wait``, ``watch`` and ``download`` bear a server that does not answer.
    """

    def __init__(self, base_url: str, api_key: str | None, *, timeout: float, patience: float) -> None:
        self.base_url = base_url.rstrip("/")
        self.patience = patience
        self.timeout = httpx.Timeout(timeout, connect=10)
        self.headers = {"User-Agent": f"octavia/{__version__}"}
        if api_key:
            self.headers["Authorization"] = f"Bearer {api_key}"

    def options(self) -> dict[str, Any]:
        """For the constructor of an httpx client."""
        return {"base_url": self.base_url, "headers": self.headers, "timeout": self.timeout}


def arguments_of(call: Call[Any]) -> dict[str, Any]:
    """For ``request`` of an httpx client."""
    return call.arguments if call.repeatable else {**call.arguments, "extensions": {"retry": ONCE}}


def result(call: Call[T], answer: httpx.Response) -> T:
    """What an answer, which was read, says.

    Raises:
      ApiError: It tells of an error, or is not one of Octavia.
    """
    if not answer.is_success and not _deleted_before(answer):
        raise error_of(answer)
    try:
        return call.parse(answer)
    except ValueError:
        raise ServerError(
            "The server's answer cannot be understood.",
            status=answer.status_code,
            code="unexpected_answer",
            hint="See that the address is that of an Octavia server, and of no older version than this client.",
        ) from None


def _deleted_before(answer: httpx.Response) -> bool:
    """Whether a deletion was sent again, and finds what the first has done."""
    repeated = getattr(answer.extensions.get("retry"), "attempts_made", 0)
    return answer.request.method == "DELETE" and answer.status_code == 404 and repeated > 0
