"""Every request of the API as a value: its content, and how to parse the answer. Nothing here sends requests."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final, Generic, Literal, TypedDict, TypeVar
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx

from octavia.client.answers import Artifact, Artifacts, Deliveries, Delivery, Job, LogPage, Page, Status, Utterances
from octavia.errors import InputError
from octavia.files import cleaned
from octavia.links import API, job_url

T = TypeVar("T")

JobId = UUID | str
File = str | Path | tuple[str, bytes] | IO[bytes]
"""A path, a name and bytes, or an open file."""


class Submission(TypedDict, total=False):
    """The fields of a new job, except its type; docs/api.md explains them. Give one of the first three."""

    file: File
    text: str
    input_url: str
    input_format: Literal["media", "srt", "vtt", "ass", "ttml", "sbv", "lrc", "sub", "json"]
    source_language: str
    target_language: str
    voice: str
    voices: Mapping[str, str]
    formats: Sequence[str]
    speed: float
    revoice: bool
    background: Literal["keep", "duck", "none"]
    background_level: float
    audio_track: int
    audio_tracks: Literal["add", "replace"]
    beam_size: int
    vocabulary: str | Sequence[str]
    glossary: Mapping[str, str]
    max_line_length: int
    priority: Literal["low", "normal", "high"]
    metadata: Mapping[str, Any]
    start: bool
    webhook_url: str
    webhook_secret: str


class Filters(TypedDict, total=False):
    """Filters for a list of jobs; a job must match all of them."""

    status: str
    type: str
    priority: str
    created_after: datetime
    created_before: datetime
    metadata: Mapping[str, str]


class Lines(TypedDict, total=False):
    """The layout of subtitles.

    Attributes:
      max_line_length: In characters.
      words: Mark the time of each word; only for the WebVTT of a transcript.
      revision: Of the results, if not the current one.
    """

    max_line_length: int
    max_lines: int
    words: bool
    revision: int


class UtteranceEdit(TypedDict, total=False):
    """New values for fields of an utterance; None undoes earlier edits of a field. Times are in seconds."""

    source: str | None
    translation: str | None
    voice: str | None
    start: float | None
    end: float | None


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request.

    Parameters:
      parse: Turns a successful answer into the result; raises ValueError if the answer makes no sense.
      arguments: For ``httpx.Client.build_request``.
      repeatable: False if it must not be sent again, because it sends a file that can be read only once.
    """

    method: str
    path: str
    parse: Callable[[httpx.Response], T]
    arguments: dict[str, Any] = field(default_factory=dict)
    repeatable: bool = True


@contextmanager
def submit(type: str, *, idempotency_key: str | None = None, **fields: Any) -> Iterator[Call[Job]]:
    """Submit a job; a file given by its path stays open until the block ends.

    The ``idempotency_key``, by default a random one, makes one job of a submission that is sent twice.
    """
    file = fields.pop("file", None)
    given = {"type": type, **{name: value for name, value in fields.items() if value is not None}}
    headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
    if file is None:
        yield Call("POST", f"{API}/jobs", _job, {"json": given, "headers": headers})
        return
    form = {name: _form_value(value) for name, value in given.items()}
    with _opened(file) as (name, content):
        repeatable = isinstance(content, bytes) or content.seekable()
        arguments = {"data": form, "files": {"file": (name, content)}, "headers": headers}
        yield Call("POST", f"{API}/jobs", _job, arguments, repeatable)


def get(job_id: JobId) -> Call[Job]:
    """Get a job."""
    return Call("GET", path_of(job_id), _job)


def status(job_id: JobId) -> Call[Status]:
    """Get the status of a job."""
    return Call("GET", path_of(job_id, "status"), lambda answer: Status.model_validate_json(answer.content))


def log(job_id: JobId, limit: int, cursor: str | None) -> Call[LogPage]:
    """Get a page of the log of a job."""
    query = {"limit": limit} | ({} if cursor is None else {"cursor": cursor})
    return Call(
        "GET", path_of(job_id, "log"), lambda answer: LogPage.model_validate_json(answer.content), {"params": query}
    )


def page(filters: Filters, limit: int, cursor: str | None) -> Call[Page]:
    """Get a page of the list of jobs."""
    query: dict[str, Any] = {"limit": limit}
    for name, value in filters.items():
        if isinstance(value, Mapping):
            query |= {f"{name}.{key}": wanted for key, wanted in value.items()}
        elif value is not None:
            query[name] = value.isoformat() if isinstance(value, datetime) else value
    if cursor is not None:
        query["cursor"] = cursor
    return Call("GET", f"{API}/jobs", lambda answer: Page.model_validate_json(answer.content), {"params": query})


def start(job_id: JobId) -> Call[Job]:
    """Start a pending job."""
    return Call("POST", path_of(job_id, "process-async"), _job)


def cancel(job_id: JobId) -> Call[Job]:
    """Cancel a job."""
    return Call("POST", path_of(job_id, "cancel"), _job)


def retry(job_id: JobId, from_stage: str | None, idempotency_key: str | None) -> Call[Job]:
    """Run a job again."""
    headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
    body = {} if from_stage is None else {"json": {"from": from_stage}}
    return Call("POST", path_of(job_id, "retry"), _job, {"headers": headers, **body})


def delete(job_id: JobId) -> Call[None]:
    """Delete a job."""
    return Call("DELETE", path_of(job_id), lambda answer: None)


def utterances(job_id: JobId, so_far: Utterances | None) -> Call[Utterances]:
    """Get the next page of utterances, added to those ``so_far``; starts anew if the results have changed since."""

    def joined(answer: httpx.Response) -> Utterances:
        page = Utterances.model_validate_json(answer.content).model_copy(update={"etag": answer.headers["etag"]})
        if so_far is None:
            return page
        if so_far.etag != page.etag:
            return page.model_copy(update={"utterances": (), "next_cursor": ""})
        return page.model_copy(update={"utterances": so_far.utterances + page.utterances})

    query: dict[str, Any] = {"limit": 1000}
    if so_far is not None and so_far.next_cursor:
        query["cursor"] = so_far.next_cursor
    return Call("GET", path_of(job_id, "utterances"), joined, {"params": query})


def edit(job_id: JobId, edits: Mapping[str, UtteranceEdit], etag: str, idempotency_key: str | None) -> Call[Job]:
    """Edit utterances of a job."""
    headers = {"If-Match": etag, "Idempotency-Key": idempotency_key or str(uuid4())}
    given = {"utterances": [{"id": id, **edit} for id, edit in edits.items()]}
    return Call("PATCH", path_of(job_id, "utterances"), _job, {"json": given, "headers": headers})


def webhooks(status: str | None, limit: int, cursor: str | None, *, all_owners: bool) -> Call[Deliveries]:
    """Get a page of the list of webhooks."""
    given = {"status": status, "limit": limit, "cursor": cursor, **_whose(all_owners=all_owners)}
    query = {name: value for name, value in given.items() if value is not None}
    return Call(
        "GET",
        f"{API}/webhooks",
        lambda answer: Deliveries.model_validate_json(answer.content),
        {"params": query},
    )


def redeliver(delivery_id: UUID | str, *, all_owners: bool) -> Call[Delivery]:
    """Deliver a webhook again."""
    return Call(
        "POST",
        f"{API}/webhooks/{quote(str(delivery_id), safe='')}/redeliver",
        lambda answer: Delivery.model_validate_json(answer.content),
        {"params": _whose(all_owners=all_owners)},
    )


def artifacts(job_id: JobId, revision: int | None) -> Call[tuple[Artifact, ...]]:
    """List the files of a job."""
    query = {} if revision is None else {"params": {"revision": revision}}
    return Call(
        "GET",
        path_of(job_id, "artifacts"),
        lambda answer: Artifacts.model_validate_json(answer.content).artifacts,
        query,
    )


def text(job_id: JobId, kind: str, format: str, lines: Lines) -> Call[str]:
    """Get a text of a job; ``kind`` is transcript, translation or bilingual."""
    return Call(
        "GET", path_of(job_id, f"{kind}.{format}"), lambda answer: answer.content.decode(), {"params": {**lines}}
    )


def artifact_path(job_id: JobId, artifact: Artifact) -> str:
    """The path of a file; it names the revision, so that it stays valid when a later run makes another file."""
    path = path_of(job_id, f"artifacts/{quote(artifact.name)}")
    return f"{path}?revision={artifact.revision}" if artifact.revision else path


LOG_PAGE: Final = 1000
"""Entries of a log to ask for at once."""

_PAGE: Final = 100


def unhurried(timeout: httpx.Timeout) -> dict[str, Any]:
    """Arguments of a request whose answer comes as slowly as a job works."""
    return {"timeout": httpx.Timeout(connect=timeout.connect, read=None, write=timeout.write, pool=timeout.pool)}


def page_size(limit: int | None, so_far: int) -> int:
    """The number of jobs or webhooks to ask for next; 0 when there are enough."""
    return _PAGE if limit is None else max(0, min(_PAGE, limit - so_far))


def path_of(job_id: JobId, *below: str) -> str:
    """The path of a job, or of a part of it. Raises ``InputError`` (``invalid_job_id``) unless the id is a UUID."""
    try:
        found = UUID(str(job_id))
    except ValueError:
        hint = "An id is a UUID, as the answer to a submission gives it."
        raise InputError(f"{job_id!r} is not the id of a job.", code="invalid_job_id", hint=hint) from None
    return "/".join((job_url(found), *below))


def _job(answer: httpx.Response) -> Job:
    return Job.model_validate_json(answer.content)


def _whose(*, all_owners: bool) -> dict[str, str]:
    return {"all_owners": "true"} if all_owners else {}


def _form_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return json.dumps(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(str(item) for item in value)
    return str(value)


@contextmanager
def _opened(file: File) -> Iterator[tuple[str, bytes | IO[bytes]]]:
    """The name and content of a file; closes it afterwards unless it was given open."""
    if isinstance(file, tuple):
        yield cleaned(file[0]), file[1]
    elif isinstance(file, str | Path):
        with Path(file).open("rb") as opened:
            yield cleaned(Path(file).name), opened
    else:
        name = getattr(file, "name", None)
        yield cleaned(Path(name).name) if isinstance(name, str) else "media", file
