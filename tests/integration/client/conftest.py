"""The clients before a real server over SQLite; workers are played by the test."""

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from octavia.client import AsyncOctavia, Octavia
from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from octavia.storage import Storage
from tests.integration.api.server import Server
from tests.integration.jobs.steps import Steps
from tests.support.ports import free_port


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str) -> Settings:
    return Settings(data_dir=tmp_path, models_dir=tmp_path / "models", database_url=sqlite_url, port=free_port())


@pytest.fixture
def storage(settings: Settings) -> Storage:
    return Storage(settings.storage)


@pytest.fixture
def steps(sqlite_url: str) -> Iterator[Steps]:
    database = Database(sqlite_url)
    yield Steps(database)
    database.close()


@pytest.fixture
def server(settings: Settings) -> Iterator[Server]:
    with Server(settings) as server:
        yield server


class Blocking:
    """An asynchronous client that tests use as they use the other."""

    def __init__(self, client: AsyncOctavia, portal: BlockingPortal) -> None:
        self._client = client
        self._portal = portal

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(*args: Any, **options: Any) -> Any:
            if inspect.isasyncgenfunction(method):
                return self._iterate(method(*args, **options))
            return self._portal.call(partial(method, *args, **options))

        return call

    def _iterate(self, source: Any) -> Iterator[Any]:
        async def step() -> Any:
            return await anext(source, None)

        try:
            while (item := self._portal.call(step)) is not None:
                yield item
        finally:
            self._portal.call(source.aclose)


MakeClient = Callable[..., Any]


@pytest.fixture(params=["sync", "async"])
def make_client(request: pytest.FixtureRequest) -> Iterator[MakeClient]:
    """Makes a client of each kind for a port."""
    if request.param == "sync":
        made: list[Octavia] = []

        def synchronous(port: int, **options: Any) -> Octavia:
            made.append(Octavia(f"http://127.0.0.1:{port}", **options))
            return made[-1]

        yield synchronous
        for client in made:
            client.close()
        return
    with start_blocking_portal() as portal:
        opened: list[AsyncOctavia] = []

        def asynchronous(port: int, **options: Any) -> Blocking:
            opened.append(AsyncOctavia(f"http://127.0.0.1:{port}", **options))
            return Blocking(opened[-1], portal)

        yield asynchronous
        for one in opened:
            portal.call(one.aclose)


@pytest.fixture
def octavia(make_client: MakeClient, server: Server) -> Any:
    return make_client(server.port)
