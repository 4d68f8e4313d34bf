"""Deployments whose processes can be killed at any point."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from chaos.proxy import Proxy
from octavia.settings import Settings
from rabbitmq.node import Node
from tests.integration.faults.deployment import QUICK, Deployment, deployed
from tests.integration.faults.killing import Doomed, doomed
from tests.support.ports import free_port
from tests.support.postgres import PrivatePostgres

Deploy = Callable[[Path, dict[str, Any]], Deployment]
"""Runs a deployment in a folder, with these settings besides."""


@pytest.fixture
def distributed(tmp_path: Path, postgres_url: str, rabbitmq_url: str) -> Iterator[Doomed]:
    """Over RabbitMQ and PostgreSQL."""
    with doomed(tmp_path, postgres_url, rabbitmq_url) as deployment:
        yield deployment


@pytest.fixture
def embedded(tmp_path: Path, sqlite_url: str) -> Iterator[Doomed]:
    """Over SQLite alone, with two processes that take any stage."""
    with doomed(tmp_path, sqlite_url, worker_slots=2) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def line(rabbitmq: Node) -> Iterator[Proxy]:
    """The line between everybody and RabbitMQ."""
    with Proxy(rabbitmq.ports.amqp) as line:
        yield line


@pytest.fixture(scope="module")
def deploy(postgres: PrivatePostgres, postgres_template: str, line: Proxy) -> Iterator[Deploy]:
    """Runs deployments over PostgreSQL and, at the end of that line, RabbitMQ."""
    with ExitStack() as stack:

        def run(folder: Path, more: dict[str, Any]) -> Deployment:
            name = postgres.create(postgres_template)
            stack.callback(postgres.drop, name)
            settings = Settings(
                data_dir=folder,
                database_url=postgres.url(name),
                broker_url=f"amqp://guest:guest@127.0.0.1:{line.port}/",
                queue_prefix=f"faults-{uuid4().hex[:12]}",
                port=free_port(),
                **QUICK,
                **more,
            )
            return stack.enter_context(deployed(settings, folder))

        yield run
