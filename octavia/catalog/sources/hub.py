"""Models on a hub that speaks the Hugging Face protocol: list the files, download them, verify them.

The listing gives the sha256 of large files and the git blob id of small ones; both are verified, so that bytes damaged
on the way never become a model. The hub itself is trusted unless the catalogue pins a sha256 or a commit, but not with
the disk: no more bytes are taken than it lists, and it may list hardly more than the catalogue says.

``huggingface_hub.snapshot_download`` (2.4.0) does less: it compares sizes, not hashes; it keeps only whole blocks of
10 MiB of a broken connection, so that a 12 MB file over a line that breaks every 3 MB never arrives; and a 503 while
it resumes discards the file.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import structlog

from octavia.backoff import Backoff
from octavia.catalog import bounds, tree
from octavia.catalog.model import Model
from octavia.catalog.sources.base import Progress, Source, SourceError
from octavia.url_checks import check_proxies
from octavia.urls import shown

log = structlog.get_logger()

_TIMEOUT = httpx.Timeout(30, connect=10)
_ATTEMPTS = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0  # Seconds between two attempts.
_BLOCK = 1024 * 1024
_LEAST_PAGE = 100
_MOST_LISTING = 16 * 1024 * 1024
_PASSING = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as the hub lists it: large ones with a ``sha256``, small ones with git's ``blob`` id; sizes in bytes."""

    path: str
    size: int
    sha256: str
    blob: str


@dataclass(frozen=True, slots=True)
class Hub(Source):
    """A folder of a repository at a revision. Uses ``HF_TOKEN`` and the proxy variables of the environment.

    Caches of other programs are not used in place, because they may change at any time.
    """

    url: str
    repository: str
    revision: str
    folder: str

    def fetch(self, model: Model, target: Path, scratch: Path, progress: Progress) -> None:
        """Download the wanted files into ``target``, resuming after broken connections.

        Raises:
          SourceError: The hub cannot be reached or refuses, or a file is not what it declared.
        """
        token = os.environ.get("HF_TOKEN", "").strip()
        headers = {"User-Agent": "octavia"} | ({"Authorization": f"Bearer {token}"} if token else {})
        try:
            check_proxies(os.environ)
            client = httpx.Client(timeout=_TIMEOUT, follow_redirects=True, headers=headers)
        except (OSError, ValueError, ImportError) as error:  # SSL_CERT_FILE, a proxy, a SOCKS proxy without its package
            raise SourceError(f"no connection can be made: {error}") from error
        try:
            with client:
                self._fetch(client, model, target, progress)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SourceError(f"{shown(self.url)}: {type(error).__name__}: {error}") from error

    def _fetch(self, client: httpx.Client, model: Model, target: Path, progress: Progress) -> None:
        prefix = f"{self.folder}/" if self.folder else ""
        files = [file for file in self._list(client) if tree.matches(file.path.removeprefix(prefix), model.files)]
        if not files:
            raise SourceError(f"{self._name} has no {', '.join(model.files)}")
        total, done = sum(file.size for file in files), 0
        if total > bounds.of_model(model.size) or any(file.size < 0 for file in files):
            raise SourceError(f"{self._name} lists {total} bytes for a model of {model.size}")
        for file in files:
            relative = file.path.removeprefix(prefix)
            if not bounds.is_plain(relative):
                raise SourceError(f"{self._name} lists a path that no model has: {file.path[:100]!r}")
            path = target / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            self._download(client, file, path, _shifted(progress, path.name, done, total))
            done += file.size

    @property
    def _name(self) -> str:
        return f"{self.repository}@{self.revision}"

    def _list(self, client: httpx.Client) -> Iterator[RemoteFile]:
        folder = f"/{quote(self.folder)}" if self.folder else ""
        url = f"{self.url.rstrip('/')}/api/models/{self.repository}/tree/{quote(self.revision, safe='')}{folder}"
        page: str | None = f"{url}?recursive=true"
        listed = 0
        while page:
            response, content = self._get(client, page)
            try:
                items = json.loads(content)
                # Pages with little or nothing on them would let them go on for ever.
                listed += max(_LEAST_PAGE, len(items))
                if listed > bounds.MOST_FILES:
                    raise SourceError(f"{self._name} lists more than {bounds.MOST_FILES} entries")
                yield from [_remote_file(item) for item in items if item["type"] == "file"]
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise SourceError(
                    f"{shown(self.url)} does not answer as a model hub does: is a proxy in between?"
                ) from error
            page = response.links.get("next", {}).get("url")

    def _get(self, client: httpx.Client, url: str) -> tuple[httpx.Response, bytes]:
        """Return an answer and its body."""
        attempts = _Attempts(self)
        while True:
            error: httpx.TransportError | None = None
            try:
                with client.stream("GET", url) as response:
                    if response.status_code not in _PASSING:
                        self._check(response)
                        return response, self._body(response)
            except httpx.TransportError as failure:
                error = failure
            attempts.failed(error)

    def _body(self, response: httpx.Response) -> bytes:
        body = bytearray()
        for block in response.iter_bytes(_BLOCK):
            body += block
            if len(body) > _MOST_LISTING:
                raise SourceError(f"{response.url.host} lists {self._name} in more than {_MOST_LISTING} bytes")
        return bytes(body)

    def _download(self, client: httpx.Client, file: RemoteFile, path: Path, report: Callable[[int], None]) -> None:
        url = f"{self.url.rstrip('/')}/{self.repository}/resolve/{quote(self.revision, safe='')}/{quote(file.path)}"
        attempts, done = _Attempts(self), 0
        path.touch()
        while done < file.size:
            error: httpx.TransportError | None = None
            try:
                self._stream(client, url, path, file.size, done, report)
            except httpx.TransportError as failure:
                error = failure
            before, done = done, path.stat().st_size
            if done > before:
                attempts = _Attempts(self)
            if done < file.size:
                attempts.failed(error)
        _verify(file, path)

    def _stream(
        self, client: httpx.Client, url: str, path: Path, size: int, done: int, report: Callable[[int], None]
    ) -> None:
        """Append the bytes after the first ``done`` of ``size``; writes the file anew if the hub cannot resume."""
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
        with client.stream("GET", url, headers=headers) as response:
            if response.status_code in _PASSING:
                return
            self._check(response)
            resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
            with path.open("ab" if resumed else "wb") as output:
                # As they come: a broken connection would lose the bytes gathered for a block of a fixed size.
                for block in response.iter_bytes():
                    if output.tell() + len(block) > size:
                        raise SourceError(f"{path.name} does not end after the {size} bytes that the hub lists")
                    output.write(block)
                    report(output.tell())

    def _check(self, response: httpx.Response) -> None:
        match response.status_code:
            case 200 | 206:
                return
            case 401 | 403:
                raise SourceError(
                    f"{response.url.host} refuses {self._name} ({response.status_code}): it is gone, or needs a token "
                    "in HF_TOKEN"
                )
            case 404:
                raise SourceError(f"{response.url.host} has no {self._name} (404)")
            case code:
                raise SourceError(f"{response.url.host} answers {code} for {self._name}")


class _Attempts:
    """Failed attempts in a row that brought no bytes, with growing pauses between them."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._failed = 0
        self._pauses = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)

    def failed(self, error: httpx.TransportError | None) -> None:
        """Wait before the next attempt, or give up; a hub that cannot be reached gets only one more.

        Parameters:
          error: None if the hub answered that it is busy.

        Raises:
          SourceError: Too many attempts have failed.
          UnsupportedProtocol: The hub's URL is none.
        """
        if isinstance(error, httpx.UnsupportedProtocol):
            raise error
        self._failed += 1
        unreachable = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        if self._failed >= (2 if unreachable else _ATTEMPTS):
            if error is None:
                raise SourceError(f"{shown(self._hub.url)} is busy and stays so")
            what = "cannot be reached" if unreachable else "breaks off again and again"
            raise SourceError(f"{shown(self._hub.url)} {what} ({type(error).__name__}: {error})") from error
        repository, told = self._hub.repository, str(error or "")
        log.warning("model_download_interrupted", repository=repository, attempt=self._failed, error=told)
        time.sleep(self._pauses.next())


def _shifted(progress: Progress, label: str, before: int, total: int) -> Callable[[int], None]:
    """Report one file's bytes on top of those of the earlier files."""
    return lambda now: progress(label, before + now, total)


def _remote_file(item: dict[str, Any]) -> RemoteFile:
    large = item.get("lfs") or {}
    return RemoteFile(item["path"], int(item["size"]), large.get("oid", ""), item.get("oid", ""))


def _verify(file: RemoteFile, path: Path) -> None:
    if file.sha256:
        declared, found = file.sha256, tree.sha256_of(path)
    else:
        blob = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
        with path.open("rb") as content:
            while block := content.read(_BLOCK):
                blob.update(block)
        declared, found = file.blob, blob.hexdigest()
    if found != declared:
        raise SourceError(f"{file.path} is damaged: the hub declares {declared}, what came is {found}")
