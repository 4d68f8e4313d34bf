"""A real server over a database of each kind, whose jobs the test drives from outside."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from octavia.settings import Settings
from tests.integration.api.server import Server
from tests.support.ports import free_port

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return Settings(
        data_dir=tmp_path,
        models_dir=tmp_path / "models",
        database_url=database_url,
        port=free_port(),
        max_wait_seconds=60,
    )


@pytest.fixture
def with_keys(settings: Settings) -> Iterator[Server]:
    with Server(settings.model_copy(update={"auth": "keys"})) as server:
        yield server


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=30) as client:
        yield client
