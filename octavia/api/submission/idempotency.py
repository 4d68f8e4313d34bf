"""The ``Idempotency-Key`` header: a client that missed an answer may send its request again.

The key is claimed before anything of the request's body is kept. Of several requests with the same key, one is served;
the others are read, compared with it, and get its answer. A request that fails frees its key.
"""

import hashlib
import json
import string
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar, Final
from uuid import UUID

import anyio
import structlog
from anyio import CancelScope
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from octavia import compact_json
from octavia.api.context import Context, context_of
from octavia.api.http.identity import owner
from octavia.api.http.paths import path_of
from octavia.api.http.slow_clients.stopping import stopping_of
from octavia.backoff import Backoff
from octavia.errors import Conflict, InputError, Unavailable
from octavia.jobs.access import idempotency
from octavia.jobs.access.idempotency import ABANDONED, KeyClaim, Recorded, Slot
from octavia.jobs.lifecycle.submit import Within
from octavia.jobs.tables.records import JobRecord
from octavia.links import job_links, job_url

HEADER: Final = "Idempotency-Key"

PROBLEMS: Final = ("invalid_idempotency_key", "idempotency_key_reused", "idempotency_in_progress")
"""Codes of errors that concern the key."""

REPLAYED: Final = {"idempotency-replayed": "true"}
"""The header of an answer that was made for an earlier request with the same key."""

_LONGEST_KEY: Final = 255
_PRINTABLE: Final = frozenset(string.ascii_letters + string.digits + string.punctuation + " ")

log = structlog.get_logger()


class InProgress(Conflict):
    """The first request with this key has no answer yet; ``retry_after`` is in seconds."""

    code = "idempotency_in_progress"

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message, hint="Send the same request again, with the same key, as Retry-After says.")
        self.retry_after = retry_after


class Attempt:
    """One request, with or without a key, while it is served.

    Attributes:
      request: The request to read from; reading it renews the claim on its key.
      is_first: True if this request is to be served. Otherwise read its body, keep nothing of it, and answer with
        ``first_outcome``.
      wait_seconds: How long to wait for the answer to the first request with the key.
      renew_seconds: How often a request whose body is still arriving renews its claim.
    """

    wait_seconds: ClassVar[float] = 30.0
    renew_seconds: ClassVar[float] = 5.0

    def __init__(self, request: Request, slot: Slot | None, claim: KeyClaim | None) -> None:
        self.is_first = slot is None or claim is not None
        self.request = Request(request.scope, self._receive_and_renew) if claim else request
        self._context: Context = context_of(request)
        self._stopping = stopping_of(request)
        self._receive = request.receive
        self._slot = slot
        self._claim = claim
        self._renewed_at = anyio.current_time()

    def recorder(self, fingerprint: str, answer: Callable[[JobRecord], Response] | None = None) -> Within | None:
        """Return the part of the job's transaction that stores the outcome for its key; None without a key.

        Parameters:
          answer: Makes the answer that other requests with the key get too; None lets each make its own from the job.
        """
        claim = self._claim
        if claim is None:
            return None

        def record(session: Session, job: JobRecord) -> None:
            response = answer(job) if answer else None
            idempotency.record(
                session,
                claim,
                fingerprint,
                job_id=job.id,
                status=response.status_code if response else None,
                headers=dict(response.headers) if response else None,
                body=bytes(response.body) if response else b"",
            )

        return record

    async def first_outcome(self, fingerprint: str) -> Recorded:
        """Wait for the outcome of the first request with this key.

        Raises:
          InputError: ``idempotency_key_reused``: that request asked for something else.
          InProgress: It has no answer yet, or it failed, so that this one may be sent again.
        """
        assert self._slot is not None
        deadline, pause = anyio.current_time() + self.wait_seconds, Backoff(0.05, 1.0, factor=1.5)
        while True:
            found = await self._context.db(idempotency.get, self._slot)
            if isinstance(found, Recorded):
                if found.fingerprint != fingerprint:
                    raise _reused()
                return found
            if found is None or found.free_in <= 0:
                # It failed, or its process has crashed: the next one is served.
                raise InProgress("The first request with this key failed.", retry_after=1.0)
            if anyio.current_time() >= deadline or self._stopping.begun:
                raise InProgress("The first request with this key is still being served.", retry_after=found.free_in)
            await anyio.sleep(pause.next())

    async def _receive_and_renew(self) -> Message:
        message = await self._receive()
        if self._claim is not None and anyio.current_time() - self._renewed_at >= self.renew_seconds:
            self._renewed_at = anyio.current_time()
            with suppress(Unavailable):
                await self._context.db(idempotency.renew, self._claim)
        return message


@asynccontextmanager
async def serve_once(request: Request) -> AsyncIterator[Attempt]:
    """Serve a request, or let it wait for the first one with its key. The key is free again if nothing was recorded.

    Raises ``InputError`` (``invalid_idempotency_key``).
    """
    slot = _slot(request)
    if slot is None:
        yield Attempt(request, None, None)
        return
    context = context_of(request)
    claimed = await context.db(idempotency.claim, slot)
    claim = claimed if isinstance(claimed, KeyClaim) else None
    try:
        yield Attempt(request, slot, claim)
    finally:
        if claim is not None:
            with CancelScope(shield=True):
                await _release(context, claim)


def fingerprint_of(fields: BaseModel, file: dict[str, Any] | None = None) -> str:
    """Return the sha256 of a request: of its checked fields with their defaults, and its file's name and bytes.

    Parameters:
      file: The job's ``input`` that describes the file.
    """
    content: dict[str, Any] = {"fields": fields.model_dump(mode="json")}
    if file is not None:
        content["file"] = {"filename": file["filename"], "sha256": file["sha256"]}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def replayed(first: Recorded, root: str) -> Response:
    """Return the answer to the first request about its job once more.

    Parameters:
      root: The path under which a proxy serves the API to this request; the first may have come another way.
    """
    assert first.status is not None
    headers, body = {**first.headers, **REPLAYED}, first.body
    if root:
        job = json.loads(body)
        job_id = UUID(job["id"])
        body = compact_json.dumps({**job, "links": job_links(job_id, root)}).encode()
        headers |= {"location": job_url(job_id, root), "content-length": str(len(body))}
    return Response(body, first.status, headers=headers)


async def _release(context: Context, claim: KeyClaim) -> None:
    try:
        await context.db(idempotency.release, claim)
    except Unavailable as error:
        log.warning("idempotency_key_not_released", reason=error.code, free_in=ABANDONED.total_seconds())


def _slot(request: Request) -> Slot | None:
    given = request.headers.getlist(HEADER)
    if not given:
        return None
    key = given[0]
    if len(given) > 1 or not 0 < len(key) <= _LONGEST_KEY or not _PRINTABLE.issuperset(key):
        raise InputError(
            f"The header {HEADER} is not one key of 1 to {_LONGEST_KEY} printable ASCII characters.",
            code="invalid_idempotency_key",
            hint="Make a new key, such as a UUID, for each thing that you want done.",
            field=HEADER,
        )
    return Slot(owner(request), request.method, path_of(request), key)


def _reused() -> InputError:
    return InputError(
        "This key was used for a different request.",
        code="idempotency_key_reused",
        hint="Make a new key for a new request; to get an earlier answer again, repeat its request unchanged.",
        field=HEADER,
    )
