"""Models on a hub that speaks the Hugging Face protocol: list the files, stream them, check what the hub declares.

Large files carry a sha256 in the listing, small ones their git blob id; both are verified, so bytes damaged on the way
never become a model. What the hub itself serves is trusted unless the catalogue pins a sha256 or a commit.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import httpx
import structlog

from octavia.catalog import tree
from octavia.catalog.sources.base import Progress, SourceError, Wanted

log = structlog.get_logger()

_TIMEOUT = httpx.Timeout(30, connect=10)
_ATTEMPTS = 5
_PASSING = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as the hub lists it; ``sha256`` of a large one, ``blob`` (git's id) of a small one."""

    path: str
    size: int
    sha256: str
    blob: str


@dataclass(frozen=True, slots=True)
class Hub:
    """A folder of a repository at a revision. ``HF_TOKEN`` and the proxy variables of the environment count."""

    url: str
    repository: str
    revision: str
    folder: str

    def in_place(self) -> Path | None:
        """Nowhere: the cache of other programs is theirs to change."""
        return None

    def fetch(self, wanted: Wanted, target: Path, scratch: Path, progress: Progress) -> None:
        """Stream the wanted files into ``target``; a broken connection goes on where it stopped.

        Raises:
          SourceError: The hub cannot be reached or refuses, or a file is not what it declared.
        """
        try:
            with httpx.Client(timeout=_TIMEOUT, follow_redirects=True, headers=_headers()) as client:
                self._fetch(client, wanted, target, progress)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SourceError(f"{self.url}: {type(error).__name__}: {error}") from error

    def _fetch(self, client: httpx.Client, wanted: Wanted, target: Path, progress: Progress) -> None:
        prefix = f"{self.folder}/" if self.folder else ""
        files = [file for file in self._list(client) if tree.matches(file.path.removeprefix(prefix), wanted.files)]
        if not files:
            raise SourceError(f"{self._name} has no {', '.join(wanted.files)}")
        total, done = sum(file.size for file in files), 0
        for file in files:
            relative = PurePosixPath(file.path.removeprefix(prefix))
            if ".." in relative.parts or relative.is_absolute():
                raise SourceError(f"{self._name} lists a path outside of itself: {file.path}")
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
        while page:
            response = self._get(client, page)
            try:
                yield from [_remote_file(item) for item in response.json() if item["type"] == "file"]
            except (ValueError, KeyError, TypeError) as error:
                raise SourceError(f"{self.url} does not answer as a model hub does: is a proxy in between?") from error
            page = response.links.get("next", {}).get("url")

    def _get(self, client: httpx.Client, url: str) -> httpx.Response:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                response = client.get(url)
            except httpx.TransportError as error:
                self._wait(attempt, error)
                continue
            if response.status_code in _PASSING and attempt < _ATTEMPTS:
                self._wait(attempt, None)
                continue
            self._check(response)
            return response
        raise AssertionError("unreachable")

    def _download(self, client: httpx.Client, file: RemoteFile, path: Path, report: Callable[[int], None]) -> None:
        url = f"{self.url.rstrip('/')}/{self.repository}/resolve/{quote(self.revision, safe='')}/{quote(file.path)}"
        done, attempt = 0, 0
        path.write_bytes(b"")
        while done < file.size:
            attempt += 1
            before = done
            failure: Exception | None = None
            try:
                done = self._stream(client, url, path, done, report)
            except httpx.TransportError as error:
                done, failure = path.stat().st_size, error
            if done >= file.size:
                break
            # A connection that brought something on is a new start; one that brings nothing counts.
            attempt = 1 if done > before else attempt
            self._wait(attempt, failure)
        _verify(file, path)

    def _stream(self, client: httpx.Client, url: str, path: Path, done: int, report: Callable[[int], None]) -> int:
        """Append what the hub still has to give; returns the bytes there are now."""
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
        with client.stream("GET", url, headers=headers) as response:
            if response.status_code in _PASSING:
                return done
            self._check(response)
            resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
            with path.open("ab" if resumed else "wb") as output:
                done = done if resumed else 0
                # As they come: blocks of a fixed size would lose what an interrupted one had gathered.
                for block in response.iter_bytes():
                    output.write(block)
                    done += len(block)
                    report(done)
        return done

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

    def _wait(self, attempt: int, error: Exception | None) -> None:
        """Sleep before another attempt, or give up."""
        if isinstance(error, httpx.UnsupportedProtocol):
            raise error
        never_connected = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        if attempt >= (2 if never_connected else _ATTEMPTS):
            if error is None:
                raise SourceError(f"{self.url} is busy and stays so")
            what = "cannot be reached" if never_connected else "breaks off again and again"
            raise SourceError(f"{self.url} {what} ({type(error).__name__}: {error})") from error
        log.warning("model_download_interrupted", repository=self.repository, attempt=attempt, error=str(error or ""))
        time.sleep(min(0.5 * 2 ** (attempt - 1), 8))


def _shifted(progress: Progress, label: str, before: int, total: int) -> Callable[[int], None]:
    """Report one file's bytes on top of those of the files before it."""
    return lambda now: progress(label, before + now, total)


def _headers() -> dict[str, str]:
    token = os.environ.get("HF_TOKEN", "")
    return {"User-Agent": "octavia"} | ({"Authorization": f"Bearer {token}"} if token else {})


def _remote_file(item: dict[str, Any]) -> RemoteFile:
    large = item.get("lfs") or {}
    return RemoteFile(item["path"], int(item["size"]), large.get("oid", ""), item.get("oid", ""))


def _verify(file: RemoteFile, path: Path) -> None:
    if file.sha256:
        declared, found = file.sha256, tree.sha256_of(path)
    else:
        content = path.read_bytes()
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
        declared, found = file.blob, blob.hexdigest()
    if found != declared:
        raise SourceError(f"{file.path} is damaged: the hub declares {declared}, what came is {found}")
