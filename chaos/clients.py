"""Well-behaved clients of several owners: an Idempotency-Key for each job, patience, another API if one is silent."""

import io
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import TypeVar
from uuid import UUID

import httpx

from chaos.orders import Order
from octavia.client import Octavia
from octavia.errors import Conflict, Unavailable
from octavia.links import job_url

T = TypeVar("T")

Results = dict[str, list[bytes]]
"""The files that a job made, by name; more than one of a name is a fault."""

_PAUSE = 1.0
_LOOK = 0.2
_PATIENCE = 240.0
_MIDDLE = 0.3
"""The progress at which a job is canceled: some of its chunks are done, others wait."""


@dataclass(slots=True)
class Ordered:
    """One job and its outcome.

    Attributes:
      api_key: That of its owner.
      requests: Number of submissions.
      status: Its last status, or the reason why its client gave up.
    """

    number: int
    order: Order
    key: str
    api_key: str
    job_id: UUID | None = None
    requests: int = 0
    status: str = ""
    seconds: float = 0.0

    @property
    def ended_well(self) -> bool:
        """True if it came to the end that was ordered. A job may be done before it can be canceled."""
        return self.status == "completed" or (self.order.canceled and self.status == "canceled")


class Clients:
    """One client for each job under way, each over all APIs. The owners take turns.

    Parameters:
      apis: All APIs by the owners' keys.
    """

    def __init__(self, apis: Mapping[str, Sequence[Octavia]]) -> None:
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
        number, owners = len(self.orders), list(self._apis)
        ordered = Ordered(number, order, key, owners[number % len(owners)])
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
            if ordered.order.canceled:
                self._cancel(ordered, ordered.job_id)
            apis = self._apis[ordered.api_key]
            job = apis[ordered.number % len(apis)].wait(ordered.job_id)
            ordered.status = job.status if job.error is None else f"{job.status}: {job.error.code} {job.error.message}"
        except Exception as error:
            ordered.status = f"given up: {type(error).__name__} {error}"
        ordered.seconds = time.monotonic() - began

    def _submit(self, ordered: Ordered) -> UUID:
        def send(api: Octavia) -> UUID:
            ordered.requests += 1
            return api.submit(ordered.order.type, idempotency_key=ordered.key, **ordered.order.fields).id

        return self._insist(ordered, send)

    def _cancel(self, ordered: Ordered, job_id: UUID) -> None:
        """Cancel a job in the middle, unless it is done before that."""
        while not (found := self._insist(ordered, lambda api: api.status(job_id))).ended:
            if found.progress >= _MIDDLE:
                with suppress(Conflict):
                    self._insist(ordered, lambda api: api.cancel(job_id))
                return
            time.sleep(_LOOK)

    def _insist(self, ordered: Ordered, ask: Callable[[Octavia], T]) -> T:
        """Ask one API after the other until one answers; raises its refusal, or gives up after four minutes."""
        apis = self._apis[ordered.api_key]
        deadline = time.monotonic() + _PATIENCE
        for turn in count(ordered.number):
            try:
                return ask(apis[turn % len(apis)])
            except (Unavailable, Conflict) as error:
                # A request that died with its API holds the key for a minute; until then, a repetition has to wait.
                waits = isinstance(error, Unavailable) or error.code == "idempotency_in_progress"
                if not waits or time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE)
        raise AssertionError("a count never ends")


@contextmanager
def clients(urls: Sequence[str], api_keys: Sequence[str]) -> Iterator[Clients]:
    """Clients of the APIs at these addresses, for the owners of these keys."""
    with ExitStack() as opened:

        def api(url: str, key: str) -> Octavia:
            return opened.enter_context(Octavia(url, key, timeout=20, retries=1, patience=_PATIENCE))

        yield Clients({key: [api(url, key) for url in urls] for key in api_keys})


def results(urls: Sequence[str], ordered: Ordered) -> Results:
    """The files of a job from the first API that answers; empty if none does, or it was never submitted."""
    found: Results = {}
    if ordered.job_id is None:
        return found
    path, headers = f"{job_url(ordered.job_id)}/artifacts.zip", {"Authorization": f"Bearer {ordered.api_key}"}
    for url in urls:
        try:
            answer = httpx.get(f"{url}{path}", headers=headers, timeout=60).raise_for_status()
        except httpx.HTTPError:
            continue
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            for entry in archive.infolist():
                found.setdefault(entry.filename, []).append(archive.read(entry))
        break
    return found
