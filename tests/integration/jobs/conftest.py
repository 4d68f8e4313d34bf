"""The driver that the protocol's tests use, on both databases."""

import pytest

from octavia.jobs.tables.database import Database
from tests.integration.jobs.steps import Steps


@pytest.fixture
def steps(database: Database) -> Steps:
    """Steps over a fresh database, once of each kind."""
    return Steps(database)
