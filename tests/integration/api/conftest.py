"""The API over a fresh database of each kind and a folder, without a server between."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from octavia.jobs.database import Database
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.web import create_app
from tests.integration.api.keyed import Keyed
from tests.integration.jobs.steps import Steps


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something that happens elsewhere."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, models_dir=tmp_path / "models", max_text_chars=1000)


@pytest.fixture
def storage(settings: Settings) -> Storage:
    return Storage(settings.storage)


@pytest.fixture
def stored(tmp_path: Path) -> "Stored":
    return Stored(tmp_path / "storage")


class Stored:
    """What is in the storage folder, including what should not be there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())

    @property
    def empty(self) -> bool:
        return not list(self.folder.rglob("*"))


@pytest.fixture
def client(settings: Settings, database: Database, storage: Storage) -> Iterator[TestClient]:
    app = create_app(settings, database=database, storage=storage)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def steps(database: Database) -> Steps:
    return Steps(database)


@pytest.fixture
def keyed(settings: Settings, database: Database, storage: Storage) -> Iterator[Keyed]:
    app = create_app(settings.model_copy(update={"auth": "keys"}), database=database, storage=storage)
    with TestClient(app) as running:
        yield Keyed(running, database)
