"""A receiver of webhooks on this machine, which verifies what it gets as its documentation tells to."""

import base64
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from standardwebhooks import Webhook

from tests.support.waiting import until

SECRET = "whsec_" + base64.b64encode(b"a secret of at least 24 bytes").decode()


@dataclass(frozen=True)
class Received:
    """One request."""

    id: str
    type: str
    data: dict[str, Any]
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Takes webhooks on a free port.

    - ``answers``: the statuses to answer first, one a request; then 200 for ever;
    - ``headers``: what goes with each answer;
    - ``hold``: requests are not answered until it is set;
    - ``secret``: what they must be signed with.

    ``received`` has those that were genuine, ``forged`` counts the others.
    """

    def __init__(self, secret: str = SECRET) -> None:
        self.secret = secret
        self.answers: list[int] = []
        self.headers: dict[str, str] = {}
        self.hold = threading.Event()
        self.hold.set()
        self.received: list[Received] = []
        self.forged = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._take(self)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook?token=abc"

    def until(self, condition: Callable[[], object], seconds: float = 60) -> None:
        """Wait until the condition holds."""
        until(condition, seconds)

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in request.headers.items()}
        status = 200
        try:
            payload = Webhook(self.secret).verify(body, headers)
        except Exception:
            self.forged += 1
            status = 401
        else:
            self.received.append(Received(headers["webhook-id"], payload["type"], payload["data"], headers, body))
            if self.answers:
                status = self.answers.pop(0)
        self.hold.wait(30)
        request.send_response(status)
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", "0")
        request.end_headers()
