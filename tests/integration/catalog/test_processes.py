"""Several processes that pull one model, and one that is killed while it does."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from octavia.catalog import Model, Store
from octavia.settings import Settings
from tests.support.hub import StandInHub

PULL = """
import sys
from octavia.catalog import Model, Store, Task
from octavia.settings import Settings
model = Model("whisper-demo", Task.SPEECH, "whisper", ("en",), sources=("hf:team/whisper-demo@c0ffee",),
              files=("model.bin", "config.json", "vocabulary.*"))
print(Store.of(Settings()).pull(model))
"""


def pulling(settings: Settings) -> "subprocess.Popen[str]":
    environment = {**os.environ, **settings.environment()}
    return subprocess.Popen([sys.executable, "-c", PULL], env=environment, stdout=subprocess.PIPE, text=True)


def test_two_processes_at_once_download_once(settings: Settings, store: Store, model: Model, hub: StandInHub) -> None:
    # Given a hub that takes its time
    hub.pause = 0.05
    # When two processes pull the same model at once
    processes = [pulling(settings) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0].splitlines()[-1] for process in processes]
    # Then both have it, and it came once
    assert [process.returncode for process in processes] == [0, 0]
    assert outputs == [str(store.models_dir / "whisper-demo")] * 2
    assert set(hub.downloads.values()) == {1}
    assert store.path(model, deep=True)


def test_a_killed_pull_leaves_no_half_model(settings: Settings, store: Store, model: Model, hub: StandInHub) -> None:
    # Given a process in the middle of a download, which would take half a minute
    hub.pause = 1
    process = pulling(settings)
    assert hub.sent.wait(60)
    half = list((store.models_dir / ".pulls" / "whisper-demo").rglob("model.bin"))
    # When it is killed
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    # Then there is no model, only what it left behind
    assert half
    assert half[0].exists()
    assert not store.installed(model)
    assert not (store.models_dir / "whisper-demo").exists()
    # And the next pull clears that away and installs the model
    hub.pause = 0
    store.pull(model)
    assert store.path(model, deep=True)
    assert not list((store.models_dir / ".pulls").iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_pull_can_be_repeated(
    settings: Settings, store: Store, model: Model, hub: StandInHub, number: signal.Signals
) -> None:
    hub.pause = 1
    process = pulling(settings)
    assert hub.sent.wait(60)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert not store.installed(model)
    hub.pause = 0
    assert store.pull(model)


def test_the_lock_is_not_the_model(store: Store, model: Model) -> None:
    store.pull(model)
    assert sorted(path.name for path in store.models_dir.iterdir()) == [".locks", ".pulls", "whisper-demo"]
    assert Path(store.models_dir / ".locks" / "whisper-demo.lock").exists()
