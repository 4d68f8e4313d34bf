"""Octavia's own processes: killed, crashed, frozen, or stopped in good order."""

import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from random import Random

import psutil

from chaos.deployment import LEASE_SECONDS, Deployment
from chaos.faults.fault import Struck, Whole

# Long enough for leases to end, so that a frozen process is taken for dead before it goes on.
_SLEEP = LEASE_SECONDS + 3.0
_RESTARTS_WITHIN = 60.0
_WORKS_WITHIN = 5.0


def kill_child(deployment: Deployment, random: Random) -> Struck:
    """Kill a worker process with SIGKILL, as when memory runs out; one with a task in hand, if any."""
    return _signal_child(deployment, random, signal.SIGKILL)


def crash_child(deployment: Deployment, random: Random) -> Struck:
    """Send SIGSEGV to a worker process, as when native code crashes."""
    return _signal_child(deployment, random, signal.SIGSEGV)


def freeze_child(deployment: Deployment, random: Random) -> Struck:
    """Freeze a worker process for longer than its lease; then it goes on."""
    name, child = _chosen_child(deployment, random)
    _freeze([child])
    return Struck(f"{name} {_slot(child)}", lambda: deployment.complete(name))


def freeze_worker(deployment: Deployment, random: Random) -> Struck:
    """Freeze a supervisor and its workers for longer than their leases, as a virtual machine may be."""
    name = random.choice(deployment.workers)
    supervisor = deployment.process(name)
    if supervisor is not None:
        with suppress(psutil.NoSuchProcess):
            _freeze([supervisor, *supervisor.children(recursive=True)])
    return Struck(name, lambda: deployment.complete(name))


def kill_supervisor(deployment: Deployment, random: Random) -> Struck:
    """Kill a supervisor, with which its worker processes end too."""
    name = random.choice(deployment.workers)
    return Struck(name, _killed(deployment, name, lambda: deployment.complete(name)))


def restart_workers(deployment: Deployment, random: Random) -> Struck:
    """Restart the supervisors one after the other, as for a new release."""
    for name in random.sample(deployment.workers, len(deployment.workers)):
        supervisor = deployment.process(name)
        if supervisor is None:
            continue
        with suppress(psutil.NoSuchProcess):
            supervisor.terminate()
        deadline = time.monotonic() + _RESTARTS_WITHIN
        while time.monotonic() < deadline and not _replaced(deployment, name, supervisor.pid):
            time.sleep(0.1)
    return Struck("one after the other", lambda: all(map(deployment.complete, deployment.workers)))


def kill_api(deployment: Deployment, random: Random) -> Struck:
    """Kill an API, and with it a relay."""
    name = random.choice(list(deployment.ports))
    return Struck(name, _killed(deployment, name, lambda: deployment.serves(name)))


def kill_scheduler(deployment: Deployment, random: Random) -> Struck:
    """Kill one of the two schedulers."""
    name = random.choice(deployment.schedulers)
    return Struck(name, _killed(deployment, name, lambda: True))


def _signal_child(deployment: Deployment, random: Random, number: signal.Signals) -> Struck:
    name, child = _chosen_child(deployment, random)
    slot = _slot(child)
    with suppress(psutil.NoSuchProcess):
        child.send_signal(number)
    return Struck(f"{name} {slot}", lambda: not child.is_running() and deployment.complete(name))


def _chosen_child(deployment: Deployment, random: Random) -> tuple[str, psutil.Process]:
    """Choose a worker process, with a task in hand unless none has one for a while; returns its supervisor too."""
    began = time.monotonic()
    while (waited := time.monotonic() - began) < _RESTARTS_WITHIN:
        found = [(name, child) for name in deployment.workers for child in deployment.children(name)]
        busy = deployment.patiently(deployment.busy_pids)
        at_work = [one for one in found if one[1].pid in busy]
        if at_work or (found and waited > _WORKS_WITHIN):
            return random.choice(at_work or found)
        time.sleep(0.1)
    raise TimeoutError("There is no worker process to strike.")


def _freeze(chosen: Sequence[psutil.Process]) -> None:
    try:
        for process in chosen:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        time.sleep(_SLEEP)
    finally:
        for process in chosen:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def _killed(deployment: Deployment, name: str, works: Whole) -> Whole:
    """Kill a process; it is whole again when another runs in its place and works."""
    process = deployment.process(name)
    if process is None:
        return works
    with suppress(psutil.NoSuchProcess):
        process.kill()
    return lambda: deployment.pid(name) not in (None, process.pid) and works()


def _replaced(deployment: Deployment, name: str, former: int) -> bool:
    return deployment.pid(name) not in (None, former) and deployment.complete(name)


def _slot(child: psutil.Process) -> str:
    try:
        words = child.cmdline()
        return words[words.index("--slot") + 1]
    except (psutil.NoSuchProcess, ValueError, IndexError):
        return str(child.pid)
