"""Well-behaved clients: an Idempotency-Key for each job, patience, and another API when one does not answer."""

import io
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from uuid import UUID

import httpx

from chaos.orders import Order
from octavia.client import Octavia
from octavia.errors import Conflict, Unavailable
from octavia.links import job_url

Results = dict[str, list[bytes]]
"""The files that a job made, by name; more than one of a name is a fault."""

_PAUSE = 1.0
_PATIENCE = 240.0


@dataclass(slots=True)
class Ordered:
    """One job and its outcome.

    Attributes:
      requests: Number of submissions.
      status: Its last status, or the reason why its client gave up.
    """

    number: int
    order: Order
    key: str
    job_id: UUID | None = None
    requests: int = 0
    status: str = ""
    seconds: float = 0.0


class Clients:
    """One client for each job under way, over several APIs."""

    def __init__(self, apis: Sequence[Octavia]) -> None:
        self._apis = apis
        self._threads: list[threading.Thread] = []
        self.orders: list[Ordered] = []

    @property
    def outstanding(self) -> int:
        """The number of jobs that were ordered and have not ended."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        return len(self._threads)

    def order(self, order: Order, key: str) -> None:
        """Start a client that submits a job and waits for its end."""
        ordered = Ordered(len(self.orders), order, key)
        self.orders.append(ordered)
        thread = threading.Thread(target=self._carry_out, args=(ordered,), name=key, daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self, seconds: float) -> None:
        """Wait until all have ended, at most so many seconds."""
        deadline = time.monotonic() + seconds
        while self.outstanding and time.monotonic() < deadline:
            time.sleep(0.2)

    def _carry_out(self, ordered: Ordered) -> None:
        began = time.monotonic()
        try:
            ordered.job_id = self._submit(ordered)
            job = self._apis[ordered.number % len(self._apis)].wait(ordered.job_id)
            ordered.status = job.status if job.error is None else f"{job.status}: {job.error.code} {job.error.message}"
        except Exception as error:
            ordered.status = f"given up: {type(error).__name__} {error}"
        ordered.seconds = time.monotonic() - began

    def _submit(self, ordered: Ordered) -> UUID:
        deadline = time.monotonic() + _PATIENCE
        for turn in count(ordered.number):
            ordered.requests += 1
            try:
                api = self._apis[turn % len(self._apis)]
                return api.submit(ordered.order.type, idempotency_key=ordered.key, **ordered.order.fields).id
            except (Unavailable, Conflict) as error:
                # A request that died with its API holds the key for a minute; until then, a repetition has to wait.
                waits = isinstance(error, Unavailable) or error.code == "idempotency_in_progress"
                if not waits or time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE)
        raise AssertionError("a count never ends")


@contextmanager
def clients(urls: Sequence[str]) -> Iterator[Clients]:
    """Clients of the APIs at these addresses."""
    with ExitStack() as opened:
        apis = [opened.enter_context(Octavia(url, timeout=20, retries=1, patience=_PATIENCE)) for url in urls]
        yield Clients(apis)


def results(urls: Sequence[str], job_id: UUID) -> Results:
    """The files of a job from the first API that answers; empty if none does."""
    found: Results = {}
    for url in urls:
        try:
            answer = httpx.get(f"{url}{job_url(job_id)}/artifacts.zip", timeout=60).raise_for_status()
        except httpx.HTTPError:
            continue
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            for entry in archive.infolist():
                found.setdefault(entry.filename, []).append(archive.read(entry))
        break
    return found
