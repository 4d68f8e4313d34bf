"""Deployments whose processes can be killed at any point."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.faults.killing import Doomed, doomed


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
