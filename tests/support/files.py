"""A server with one file, over plain sockets' worth of HTTP, and what goes wrong with such servers."""

import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

_BLOCK = 16 * 1024


class FileServer:
    """Serves ``content`` under any path, on a free port of this machine.

    Its attributes may be changed while it runs:

    - ``cuts``: after how many bytes to drop the connection, one entry a request, then never;
    - ``statuses``: what to answer instead of the file, one entry a request;
    - ``etag``, ``modified``: what to say of the file's version; None: nothing;
    - ``ranges``: whether it can go on in the middle;
    - ``shift``: answers a range so many bytes further on than it was asked for;
    - ``length``: whether it says how long the file is, or which length it claims;
    - ``headers``: what else it says;
    - ``stalls``: after how many bytes to send nothing more, but stay, one entry a request;
    - ``pause``: seconds between blocks of 16 KiB.

    ``asked`` has the Range and If-Range headers of each request.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.cuts: list[int] = []
        self.statuses: list[int] = []
        self.etag: str | None = '"v1"'
        self.modified: float | None = None
        self.ranges = True
        self.shift = 0
        self.length: bool | int = True
        self.headers: dict[str, str] = {}
        self.pause = 0.0
        self.stalls: list[int] = []
        self._closing = threading.Event()
        self.asked: list[tuple[str | None, str | None]] = []
        files = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                files._answer(self)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/talks/the%20talk.flac?signature=abc"

    def __enter__(self) -> "FileServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        asked, condition = request.headers["Range"], request.headers["If-Range"]
        self.asked.append((asked, condition))
        if self.statuses:
            request.send_response(self.statuses.pop(0))
            for name, value in self.headers.items():
                request.send_header(name, value)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        start = 0
        if asked and self.ranges and condition in (None, self.etag, self._modified()):
            start = int(asked.removeprefix("bytes=").rstrip("-")) + self.shift
        self._head(request, start)
        cut = self.cuts.pop(0) if self.cuts else None
        stall = self.stalls.pop(0) if self.stalls else None
        end = min(start + min(cut or len(self.content), stall or len(self.content)), len(self.content))
        try:
            for position in range(start, end, _BLOCK):
                request.wfile.write(self.content[position : min(position + _BLOCK, end)])
                time.sleep(self.pause)
        except OSError:  # whoever asked has gone
            request.close_connection = True
        if stall is not None:
            self._closing.wait(60)
        if cut is not None or self.length is not True:
            request.close_connection = True

    def _head(self, request: BaseHTTPRequestHandler, start: int) -> None:
        size = len(self.content)
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        if self.length is not False:
            request.send_header("Content-Length", str(self.length if self.length is not True else size - start))
        if self.etag:
            request.send_header("ETag", self.etag)
        if self.modified is not None:
            request.send_header("Last-Modified", self._modified())
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.end_headers()

    def _modified(self) -> str:
        return formatdate(self.modified or 0, usegmt=True)
