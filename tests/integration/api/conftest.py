"""The API over a fresh database of each kind and a folder, without a server between."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.web import create_app
from tests.integration.api.keyed import Keyed
from tests.integration.api.server import Server
from tests.integration.jobs.steps import Steps


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    # These tests need no workers.
    return Settings(data_dir=tmp_path, models_dir=tmp_path / "models", max_text_chars=1000, ready_queues=())


@pytest.fixture
def storage(settings: Settings) -> Storage:
    return Storage(settings.storage)


@pytest.fixture
def stored(tmp_path: Path) -> "Stored":
    return Stored(tmp_path / "storage")


class Stored:
    """The files in the storage folder, including those that should not be there.

    It may be looked at while a server writes and removes things: ``rglob`` would fail over a folder that vanishes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def files(self) -> list[str]:
        # Of texts alone: some tests look again after each of a hundred files.
        found = (os.path.join(folder, name) for folder, _, names in os.walk(self.folder) for name in names)
        return sorted(path.removeprefix(f"{self.folder}{os.sep}") for path in found)

    @property
    def empty(self) -> bool:
        return not any(folders or names for _, folders, names in os.walk(self.folder))


@pytest.fixture
def server(settings: Settings) -> Iterator[Server]:
    """The API behind a real server, in a thread."""
    with Server(settings) as server:
        yield server


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
