"""An API that asks for keys, and clients that have some."""

from collections.abc import Sequence

from starlette.testclient import TestClient

from octavia.jobs.access import keys
from octavia.jobs.access.keys import KeyRecord, Limits, Scope
from octavia.jobs.tables.database import Database

BOTH = (Scope.READ, Scope.WRITE)


class Keyed:
    """Makes keys, and clients that send them."""

    def __init__(self, running: TestClient, database: Database) -> None:
        self._running = running
        self.database = database

    def key(
        self, owner: str = "ann", scopes: Sequence[Scope] = BOTH, *, limits: Limits | None = None
    ) -> tuple[KeyRecord, str]:
        return keys.create(self.database, owner, owner=owner, scopes=scopes, limits=limits)

    def client(self, owner: str = "ann", scopes: Sequence[Scope] = BOTH, *, limits: Limits | None = None) -> TestClient:
        """A client with a new key of this owner."""
        return self.anonymous(self.key(owner, scopes, limits=limits)[1])

    def anonymous(self, token: str | None = None) -> TestClient:
        headers = {"authorization": f"Bearer {token}"} if token is not None else {}
        client = TestClient(self._running.app, base_url="http://octavia.example", headers=headers)
        client.portal = self._running.portal  # one event loop, as in a server
        return client
