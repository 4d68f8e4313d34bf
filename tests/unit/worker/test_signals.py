import os
import signal
import subprocess
import sys
import time

import pytest

from octavia.worker.signals import StopSignal

_SAME_ORDER = 0.2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noted_and_nothing_else(number: signal.Signals) -> None:
    # Given a process that listens
    before = signal.getsignal(number)
    with StopSignal() as stop:
        assert not stop.wait(0)
        # When it gets a signal
        os.kill(os.getpid(), number)
        # Then it is time to stop, for as long as it takes
        assert stop.wait(5)
        assert stop.wait(0)
        assert not stop.urgent
    # And afterwards signals mean what they did before
    assert signal.getsignal(number) == before


def test_signals_in_a_row_are_one_order() -> None:
    # Given a process that listens, on a machine that may stall between two of them
    with StopSignal(same_order_seconds=3600) as stop:
        # When it gets the same order several times over
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        # Then that is not urgent
        assert stop.wait(5)
        assert not stop.urgent


def test_a_later_signal_is_urgent_and_the_one_after_it_has_its_usual_effect() -> None:
    # Given a process that was told to stop
    with StopSignal(same_order_seconds=_SAME_ORDER) as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)
        # When it is told again, some time later
        time.sleep(2 * _SAME_ORDER)
        os.kill(os.getpid(), signal.SIGINT)
        # Then it is urgent
        assert stop.urgent
        # And from now on it can be interrupted
        with pytest.raises(KeyboardInterrupt):
            _interrupt()


def test_without_escalation_only_the_first_order_counts() -> None:
    # Given a process that has a supervisor
    with StopSignal(escalate=False, same_order_seconds=_SAME_ORDER) as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        # When it is told again and again
        for _ in range(3):
            time.sleep(_SAME_ORDER)
            os.kill(os.getpid(), signal.SIGTERM)
        # Then it goes on to stop
        assert stop.wait(0)
        assert not stop.urgent


def test_a_process_may_stop_itself() -> None:
    # Given a process that listens, in a thread of which it is decided that it is time
    code = """
import threading
from octavia.worker.signals import StopSignal
with StopSignal() as stop:
    threading.Timer(0.1, stop.set).start()
    print(stop.wait(10))
"""
    # When it is
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    # Then the waiter hears of it
    assert result.stdout.strip() == "True"


def _interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)
