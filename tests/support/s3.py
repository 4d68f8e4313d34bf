"""As much of S3 as writing an object takes, on a free port of this machine."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

_XML = '<?xml version="1.0"?><{0} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{1}</{0}>'


class S3Server:
    """A bucket's objects, and the uploads in parts that were begun and neither completed nor aborted.

    Attributes:
      objects: The finished objects, by their path.
      parts: The bytes of each unfinished upload's parts, by the upload's id.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"s3": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "S3Server":
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    s3: S3Server

    def do_POST(self) -> None:
        path, query = self._asked()
        self._body()
        if "uploads" in query:
            upload = f"upload-{len(self.s3.parts)}"
            self.s3.parts[upload] = {}
            self._answer(200, _XML.format("InitiateMultipartUploadResult", f"<UploadId>{upload}</UploadId>"))
            return
        parts = self.s3.parts.pop(query["uploadId"][0])
        self.s3.objects[path] = b"".join(parts[number] for number in sorted(parts))
        self._answer(200, _XML.format("CompleteMultipartUploadResult", '<ETag>"done"</ETag>'))

    def do_PUT(self) -> None:
        path, query = self._asked()
        data = self._body()
        if "uploadId" in query:
            self.s3.parts[query["uploadId"][0]][int(query["partNumber"][0])] = data
        else:
            self.s3.objects[path] = data
        self._answer(200, etag=hashlib.md5(data).hexdigest())

    def do_DELETE(self) -> None:
        _, query = self._asked()
        del self.s3.parts[query["uploadId"][0]]
        self._answer(204)

    def log_message(self, format: str, *_: object) -> None:
        """Say nothing."""

    def _asked(self) -> tuple[str, dict[str, list[str]]]:
        parts = urlsplit(self.path)
        return parts.path, parse_qs(parts.query, keep_blank_values=True)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["content-length"]))

    def _answer(self, status: int, body: str = "", etag: str = "") -> None:
        self.send_response(status)
        if etag:
            self.send_header("ETag", f'"{etag}"')
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())
