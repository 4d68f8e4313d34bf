"""A stand-in for the model hub: the listing, the downloads by way of a CDN, and what goes wrong with them."""

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = 1000
"""Files of more bytes than this are listed as the hub lists large ones: with a sha256."""


class StandInHub:
    """Serves repositories from memory on a free port of this machine.

    Its attributes may be changed while it runs:

    - ``cuts``: by path, after how many bytes to drop the connection, one entry a download;
    - ``wrong``: paths of which the last byte comes damaged;
    - ``status``: by path (or ``tree``), answers to give before the real one, one entry a request;
    - ``token``: what must come as the bearer token;
    - ``ignores_range``: answers a resumed download with the whole file;
    - ``listing``: what to answer instead of a listing;
    - ``page_size``: entries of a listing per page;
    - ``pause``: seconds between blocks of 4 KiB.

    ``downloads`` counts the downloads of each path, ``ranges`` notes their Range headers, ``cdn_tokens`` what the CDN
    was told of the token.
    """

    def __init__(self) -> None:
        self._repositories: dict[tuple[str, str], dict[str, bytes]] = {}
        self.cuts: dict[str, list[int]] = {}
        self.wrong: set[str] = set()
        self.status: dict[str, list[int]] = {}
        self.token = ""
        self.ignores_range = False
        self.listing: bytes | None = None
        self.page_size = 1000
        self.pause = 0.0
        self.downloads: Counter[str] = Counter()
        self.ranges: list[str | None] = []
        self.cdn_tokens: list[str | None] = []
        self.sent = threading.Event()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub._answer(self)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def add(self, repository: str, files: Mapping[str, bytes], revision: str = "main") -> None:
        self._repositories[repository, revision] = dict(files)

    def __enter__(self) -> "StandInHub":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        url = urlsplit(request.path)
        parts = unquote(url.path).strip("/").split("/")
        if parts[0] == "cdn":
            self._send(request, parts)
            return
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            self._fail(request, 401)
        elif parts[:2] == ["api", "models"]:
            repository, revision, folder = "/".join(parts[2:4]), parts[5], "/".join(parts[6:])
            start = int(parse_qs(url.query).get("cursor", ["0"])[0])
            self._list(request, repository, revision, folder, start)
        elif parts[2:3] == ["resolve"]:
            self._redirect(request, "/".join(parts[:2]), parts[3], "/".join(parts[4:]))
        else:
            self._fail(request, 404)

    def _list(self, request: BaseHTTPRequestHandler, repository: str, revision: str, folder: str, start: int) -> None:
        if self._refused(request, "tree"):
            return
        files = self._repositories.get((repository, revision))
        if files is None:
            self._fail(request, 404)
            return
        entries = [{"type": "directory", "path": "somewhere", "oid": "0", "size": 0}]
        entries += [_entry(path, content) for path, content in files.items() if path.startswith(folder)]
        body = self.listing or json.dumps(entries[start : start + self.page_size]).encode()
        request.send_response(200)
        if start + self.page_size < len(entries):
            page = f"{self.url}{urlsplit(request.path).path}?recursive=true&cursor={start + self.page_size}"
            request.send_header("Link", f'<{page}>; rel="next"')
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _redirect(self, request: BaseHTTPRequestHandler, repository: str, revision: str, path: str) -> None:
        if self._refused(request, path):
            return
        if path not in self._repositories.get((repository, revision), {}):
            self._fail(request, 404)
            return
        request.send_response(302)
        # Another name of this machine, as the real CDN is another host: the token must not follow.
        request.send_header(
            "Location", f"http://localhost:{self._server.server_port}/cdn/{repository}/{revision}/{path}"
        )
        request.send_header("Content-Length", "0")
        request.end_headers()

    def _send(self, request: BaseHTTPRequestHandler, parts: list[str]) -> None:
        path = "/".join(parts[4:])
        content = self._repositories["/".join(parts[1:3]), parts[3]][path]
        if path in self.wrong:
            content = content[:-1] + bytes([content[-1] ^ 1])
        asked = request.headers.get("Range")
        self.downloads[path] += 1
        self.ranges.append(asked)
        self.cdn_tokens.append(request.headers.get("Authorization"))
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and not self.ignores_range else 0
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        cuts = self.cuts.get(path)
        end = start + cuts.pop(0) if cuts else len(content)
        try:
            for position in range(start, min(end, len(content)), 4096):
                request.wfile.write(content[position : min(position + 4096, end)])
                self.sent.set()
                time.sleep(self.pause)
        except OSError:  # the one who asked was killed
            request.close_connection = True
        if end < len(content):
            request.close_connection = True

    def _refused(self, request: BaseHTTPRequestHandler, what: str) -> bool:
        planned = self.status.get(what)
        if planned:
            self._fail(request, planned.pop(0))
            return True
        return False

    @staticmethod
    def _fail(request: BaseHTTPRequestHandler, status: int) -> None:
        request.send_response(status)
        request.send_header("Content-Length", "0")
        request.end_headers()


def _entry(path: str, content: bytes) -> dict[str, object]:
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    entry: dict[str, object] = {"type": "file", "path": path, "size": len(content), "oid": blob}
    if len(content) > LARGE:
        # The git blob of a large file is its pointer, so its id says nothing of the contents.
        entry["oid"] = "0" * 40
        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
    return entry
