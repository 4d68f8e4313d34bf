"""A deployment that can take no more says so, before it has taken anything, and takes jobs again by itself."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from chaos.proxy import Proxy
from octavia.jobs.tables.states import JobStatus
from rabbitmq.node import Node
from tests.integration.api.server import RawClient
from tests.integration.faults.conftest import Deploy
from tests.integration.faults.deployment import Deployment, Recovery, until_broken
from tests.support.rabbitmq import disk_alarm, memory_alarm

_BOUND = 4
# More than anybody else is likely to write or delete within this minute.
_MARGIN = 512 * 1024**2
# Less than a publisher waits for a broker that is blocked, and more than a machine stalls.
_AT_ONCE = 4.5


@pytest.fixture(scope="module")
def deployment(deploy: Deploy, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    folder = tmp_path_factory.mktemp("deployment")
    return deploy(folder, {"max_queued_jobs": _BOUND, "min_free_bytes": shutil.disk_usage(folder).free - _MARGIN})


def stored(deployment: Deployment) -> list[Path]:
    """The files in the storage."""
    return sorted(path for path in (deployment.settings.data_dir / "storage").rglob("*") if path.is_file())


@pytest.mark.parametrize("alarm", [memory_alarm, pytest.param(disk_alarm, marks=pytest.mark.long)])
def test_a_broker_with_an_alarm_refuses_jobs_and_keeps_those_it_has(
    deployment: Deployment, rabbitmq: Node, alarm: Callable[[Node], AbstractContextManager[None]], tmp_path: Path
) -> None:
    # Given a task in work
    gate = tmp_path / "gate"
    first = deployment.accepted("wait for the gate", gate=str(gate))
    deployment.until_attempted(first)
    # When RabbitMQ raises an alarm
    with alarm(rabbitmq):
        began = time.monotonic()
        until_broken(deployment, broker="broker_blocked")
        print(f"\nnoticed | {alarm.__name__} | {time.monotonic() - began:.1f} s")
        # Then jobs are refused at once, and nothing of them is kept
        before = stored(deployment)
        deployment.refused("broker_blocked", seconds=_AT_ONCE)
        assert stored(deployment) == before
        gate.touch()
        # And whoever only asks is answered as ever
        assert deployment.client.get(f"/api/v1/jobs/{first}", timeout=5).status_code == 200
    # And when the alarm is over, all goes on by itself
    recovery = Recovery(f"{alarm.__name__} of RabbitMQ")
    deployment.until_ready()
    deployment.until_whole(deployment.accepted(), first)
    recovery.within(30)
    assert deployment.numbers(first) == [1]


def test_jobs_are_accepted_for_a_broker_that_is_away_up_to_the_bound(deployment: Deployment, line: Proxy) -> None:
    # Given a RabbitMQ that is out of reach
    line.cut()
    try:
        until_broken(deployment, broker="broker_unavailable")
        # When jobs are submitted, then as many are accepted as may wait, and no more
        jobs = [deployment.accepted() for _ in range(_BOUND)]
        until_broken(deployment, broker="broker_unavailable", queue="queue_full")
        before = stored(deployment)
        deployment.refused("queue_full", seconds=_AT_ONCE)
        assert stored(deployment) == before
    finally:
        line.mend()
    # And when it is back, those complete, and others are accepted
    recovery = Recovery("RabbitMQ out of reach, queue at its bound")
    deployment.until_whole(*jobs)
    deployment.until_ready()
    recovery.within(30)
    deployment.until_whole(deployment.accepted())


def test_a_disk_that_is_nearly_full_is_left_to_those_who_were_accepted(deployment: Deployment, tmp_path: Path) -> None:
    # Given a task in work
    gate = tmp_path / "gate"
    first = deployment.accepted("wait for the gate", gate=str(gate))
    deployment.until_attempted(first)
    # When little room is left on the disk
    with filled(deployment):
        until_broken(deployment, storage="storage_full")
        # Then jobs are refused before anything of them is kept, and what was accepted completes
        before = stored(deployment)
        deployment.refused("storage_full", seconds=_AT_ONCE)
        assert stored(deployment) == before
        gate.touch()
        deployment.until_whole(first)
    # And when there is room again, jobs are accepted again
    recovery = Recovery("disk of the storage nearly full")
    deployment.until_ready()
    deployment.until_whole(deployment.accepted())
    recovery.within(20)


def test_a_file_that_there_is_no_room_for_is_refused_before_it_is_read(deployment: Deployment) -> None:
    # Given a disk with room, but not for so much
    before = stored(deployment)
    deployment.until_ready()
    # When an upload says that it is larger than that, then it is refused before any of it has come
    with RawClient(deployment.settings.port) as client:
        client.post(Content_Type="multipart/form-data; boundary=b", Content_Length=str(too_much(deployment)))
        answer = client.answer()
    assert answer.startswith("HTTP/1.1 503 ")
    assert '"storage_full"' in answer
    assert "retry-after: " in answer
    assert stored(deployment) == before
    # And a small one is welcome
    job_id = deployment.accepted()
    assert deployment.until_ended(job_id).status is JobStatus.COMPLETED


def too_much(deployment: Deployment) -> int:
    """So many bytes that the disk would have less left than it must, by the margin."""
    settings = deployment.settings
    return shutil.disk_usage(settings.data_dir).free - settings.min_free_bytes + _MARGIN


@contextmanager
def filled(deployment: Deployment) -> Iterator[None]:
    """A disk that has less left than jobs may leave."""
    path = deployment.settings.data_dir / "ballast"
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, too_much(deployment))
    try:
        yield
    finally:
        path.unlink()
