"""A server that is killed and started again while somebody watches."""

import threading
import time

import httpx
from httpx_sse import SSEError, connect_sse

from octavia.settings import Settings
from tests.integration.api.live.test_sse import cancel_job
from tests.integration.api.server import server_process
from tests.integration.jobs.steps import Steps
from tests.support.waiting import until


class Client:
    """Watches a job as an EventSource does: comes again until the job has ended."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.seen: list[int] = []
        self.connections = 0
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        with httpx.Client(timeout=20) as client:
            while True:
                try:
                    if self._read(client):
                        return
                except (httpx.TransportError, SSEError):
                    time.sleep(0.05)

    def _read(self, client: httpx.Client) -> bool:
        headers = {"Last-Event-ID": str(self.seen[-1])} if self.seen else {}
        with connect_sse(client, "GET", self.url, headers=headers) as source:
            self.connections += 1
            for event in source.iter_sse():
                self.seen.append(int(event.id))
                if event.event == "canceled":
                    return True
        return False


def test_a_client_misses_nothing_over_a_restart(settings: Settings, steps: Steps) -> None:
    # Given a client that watches a job to which things happen without pause
    job = steps.submit()
    client = Client(f"http://127.0.0.1:{settings.port}/api/v1/jobs/{job.id}/events")
    stop = threading.Event()

    def happen() -> None:
        while not stop.wait(0.01):
            steps.emit(job.id)

    happening = threading.Thread(target=happen, daemon=True)
    with server_process(settings) as process:
        client.thread.start()
        happening.start()
        until(lambda: len(client.seen) > 20)
        # When the server is killed, and things go on
        process.kill()
        process.wait()
    # And another is started, and told to stop, and a third
    with server_process(settings) as process:
        until(lambda: client.connections > 1)
        before = len(client.seen)
        until(lambda: len(client.seen) > before + 20)
        began = time.monotonic()
        process.terminate()
        process.wait()
        # It does not give who watches the half minute that requests have
        assert time.monotonic() - began < 20
    connected = client.connections
    with server_process(settings):
        until(lambda: client.connections > connected)
        before = len(client.seen)
        until(lambda: len(client.seen) > before + 20)
        stop.set()
        happening.join()
        cancel_job(steps, job.id)
        client.thread.join(30)
    # Then it has got everything once and in order
    assert client.connections >= 3
    assert client.seen == list(range(1, steps.job(job.id).event_seq + 1))
