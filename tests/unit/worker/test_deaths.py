import signal

import pytest

from octavia.worker.deaths import death_of


@pytest.mark.parametrize(
    ("code", "how"),
    [
        (-signal.SIGKILL, "SIGKILL"),
        (-signal.SIGSEGV, "segmentation fault"),
        (-signal.SIGABRT, "SIGABRT"),
        (-signal.SIGUSR1, f"signal {int(signal.SIGUSR1)}"),
        (-signal.SIGRTMAX, f"signal {int(signal.SIGRTMAX)}"),
        (-40, "signal 40"),
        (0, "exit code 0"),
        (3, "exit code 3"),
    ],
)
def test_every_end_has_its_words_and_a_remedy(code: int, how: str) -> None:
    # Given how a process ended, as the system tells it
    # When it is to be told to a user
    death = death_of(code)
    # Then it is said in words that name it, with what may help
    assert how in death.how
    assert death.hint.endswith("retry the job.")


def test_a_kill_says_that_memory_is_the_likely_cause() -> None:
    assert "memory" in death_of(-signal.SIGKILL).how
