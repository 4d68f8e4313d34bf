"""A stand-in hub, and models that it has."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from octavia.catalog import Model, Store, Task
from octavia.settings import Settings
from tests.support.hub import StandInHub

FILES = {
    "model.bin": bytes(range(256)) * 400,  # 100 KiB: listed with a sha256
    "config.json": b'{"small": true}',  # listed with its git blob
    "vocabulary.txt": b"a\nb\n",
    "README.md": b"not wanted",
}


@pytest.fixture
def hub() -> Iterator[StandInHub]:
    with StandInHub() as hub:
        hub.add("team/whisper-demo", FILES, "c0ffee")
        yield hub


@pytest.fixture
def settings(tmp_path: Path, hub: StandInHub) -> Settings:
    return Settings(models_dir=tmp_path / "models", hub_url=hub.url)


@pytest.fixture
def store(settings: Settings) -> Store:
    return Store.of(settings)


@pytest.fixture
def model() -> Model:
    return Model(
        "whisper-demo",
        Task.SPEECH,
        "whisper",
        ("en",),
        size=102_419,
        sources=("hf:team/whisper-demo@c0ffee",),
        files=("model.bin", "config.json", "vocabulary.*"),
    )


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses between attempts are noted instead of slept."""
    slept: list[float] = []
    monkeypatch.setattr("octavia.catalog.sources.hub.time", SimpleNamespace(sleep=slept.append))
    return slept
