"""The ``Idempotency-Key`` header: a request that may be sent again, by whoever did not hear the answer.

The key is claimed before anything of the request's body is kept. Of several requests with the same key one is served;
the others are read, compared with it, and get its answer. A request that fails frees its key.
"""

import hashlib
import json
import string
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import anyio
import structlog
from anyio import CancelScope
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from octavia.api.context import Context, context_of
from octavia.api.http.identity import owner
from octavia.api.http.slow_clients.stopping import stopping_of
from octavia.errors import Conflict, InputError, Unavailable
from octavia.jobs.access import idempotency
from octavia.jobs.access.idempotency import ABANDONED, KeyClaim, Recorded, Slot
from octavia.jobs.lifecycle.submit import Within
from octavia.jobs.tables.records import JobRecord

HEADER: Final = "Idempotency-Key"

_LONGEST_KEY: Final = 255
_PRINTABLE: Final = frozenset(string.ascii_letters + string.digits + string.punctuation + " ")
_BEAT_SECONDS: Final = 5.0
_WAIT_SECONDS: Final = 30.0
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0
_SOON: Final = 1.0

log = structlog.get_logger()


class InProgress(Conflict):
    """The first request with this key has no answer yet; ``retry_after`` seconds say when to ask again."""

    code = "idempotency_in_progress"

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message, hint="Send the same request again, with the same key, as Retry-After says.")
        self.retry_after = retry_after


class Attempt:
    """One request, with or without a key.

    Attributes:
      request: The request to read from: it is noted that bytes come.
      ours: Whether this request is to be served. If not, its body is to be read and nothing of it kept: ``first`` has
        the answer.
    """

    def __init__(self, request: Request, slot: Slot | None, claim: KeyClaim | None) -> None:
        self.ours = slot is None or claim is not None
        self.request = Request(request.scope, self._noted) if claim else request
        self._context: Context = context_of(request)
        self._stopping = stopping_of(request)
        self._receive = request.receive
        self._slot = slot
        self._claim = claim
        self._noted_at = anyio.current_time()

    def within(self, fingerprint: str, answer: Callable[[JobRecord], Response] | None = None) -> Within | None:
        """What the transaction that makes a job must do, so that the job and the key's row come together.

        Parameters:
          answer: Makes the answer that others with the key get too; None: they get one made from the job.
        """
        claim = self._claim
        if claim is None:
            return None

        def record(session: Session, job: JobRecord) -> None:
            made = answer(job) if answer else None
            idempotency.record(
                session,
                claim,
                fingerprint,
                job_id=job.id,
                status=made.status_code if made else None,
                headers=dict(made.headers) if made else None,
                body=bytes(made.body) if made else b"",
            )

        return record

    async def first(self, fingerprint: str) -> Recorded:
        """What came of the first request with this key, which may take it some time.

        Raises:
          InputError: ``idempotency_key_reused``: that one asked for something else.
          InProgress: It has no answer yet, or failed, so that this one may be sent again.
        """
        assert self._slot is not None
        deadline, pause = anyio.current_time() + _WAIT_SECONDS, _FIRST_PAUSE
        while True:
            found = await self._context.db(idempotency.get, self._slot)
            if isinstance(found, Recorded):
                if found.fingerprint != fingerprint:
                    raise _reused()
                return found
            if found is None or found.free_in <= 0:
                # It failed, or whoever had it has crashed: the next one is served.
                raise InProgress("The first request with this key came to nothing.", retry_after=_SOON)
            if anyio.current_time() >= deadline or self._stopping.begun:
                raise InProgress("The first request with this key is still being served.", retry_after=found.free_in)
            await anyio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    async def _noted(self) -> Message:
        message = await self._receive()
        if self._claim is not None and anyio.current_time() - self._noted_at >= _BEAT_SECONDS:
            self._noted_at = anyio.current_time()
            with suppress(Unavailable):
                await self._context.db(idempotency.renew, self._claim)
        return message


@asynccontextmanager
async def attempt(request: Request) -> AsyncIterator[Attempt]:
    """Serve a request once, if it has a key; leaving without having recorded anything frees the key.

    Raises:
      InputError: ``invalid_idempotency_key``.
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


def fingerprint(fields: BaseModel, file: dict[str, Any] | None = None) -> str:
    """sha256 of what a request asks for: its checked fields, defaults and all, and the name and bytes of its file.

    Parameters:
      file: What a job's ``input`` says of it.
    """
    asked: dict[str, Any] = {"fields": fields.model_dump(mode="json")}
    if file is not None:
        asked["file"] = {"filename": file["filename"], "sha256": file["sha256"]}
    return hashlib.sha256(json.dumps(asked, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def replayed(first: Recorded) -> Response:
    """The first answer, again."""
    assert first.status is not None
    return Response(first.body, first.status, headers={**first.headers, **REPLAYED})


REPLAYED: Final = {"idempotency-replayed": "true"}
"""What an answer says of itself that was not made for this request."""


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
            hint="Make up a key for each thing that you want done, such as a UUID.",
            field=HEADER,
        )
    return Slot(owner(request), request.method, request.url.path, key)


def _reused() -> InputError:
    return InputError(
        "This key was used for a request that asked for something else.",
        code="idempotency_key_reused",
        hint="Make up another key for another request; send the same request to get its answer again.",
        field=HEADER,
    )
