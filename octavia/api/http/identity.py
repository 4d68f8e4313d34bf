"""The client of a request: its owner, its key, and its rights."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from starlette.requests import HTTPConnection

from octavia.errors import InputError
from octavia.jobs.access.keys import KeyRecord, Scope


@dataclass(frozen=True, slots=True)
class Principal:
    """The client that sent a request.

    Parameters:
      owner: The owner of the client's jobs.
      scopes: What it may do.
      key: None if the API requires no key and the client sent none.
      jobs_in_flight: The highest number of unfinished jobs for the key; 0: no limit.
    """

    owner: str
    scopes: frozenset[Scope]
    key: KeyRecord | None = None
    jobs_in_flight: int = 0

    @property
    def operates_on(self) -> str | None:
        """The only owner whose jobs it may operate on; None: all owners'. Without a key it sees no other's."""
        return self.owner if self.key is None else None

    @property
    def by(self) -> str:
        """Its name in the record of actions: that of its key, by which people know it, and the key's first letters."""
        return self.owner if self.key is None else f"{self.key.name} ({self.key.prefix})"

    def require(self, scope: Scope) -> None:
        """Refuse a request whose client does not have the scope.

        Raises ``InputError``: ``scope_missing``, or ``admin_key_required`` without a key.
        """
        if scope in self.scopes:
            return
        if self.key is None and scope is Scope.ADMIN:
            raise InputError(
                "This takes the key of an administrator, also where no other requests need a key.",
                code="admin_key_required",
                hint="Make one on the machine of the service, with its settings: "
                "octavia keys create root --scope admin. Send it as Authorization: Bearer oct_….",
            )
        raise InputError(
            f"This key does not have the scope {scope}.",
            code="scope_missing",
            hint="Use another key, or ask the operator for one: octavia keys create --scope …",
        )


LOCAL: Final = Principal("local", frozenset(Scope) - {Scope.ADMIN})
"""Every client of an API that requires no keys, which only this machine reaches.

It operates the service, for its own jobs (``operates_on``). It is no administrator: the keys that it made would let it
in after the API is changed to require them.
"""


def principal(connection: HTTPConnection) -> Principal:
    """Return the client that sent a request."""
    found: Principal = connection.state.principal
    return found


def owner(connection: HTTPConnection) -> str:
    """Return the owner of the client's jobs."""
    return principal(connection).owner


def key_id(connection: HTTPConnection) -> UUID | None:
    """Return the id of the client's API key; None if it needed none."""
    key = principal(connection).key
    return None if key is None else key.id


def no_longer_valid() -> InputError:
    """Return the error for a key that was valid when its request arrived, but no longer is."""
    return InputError(
        "The key of this request has been revoked or has expired since it was sent.",
        code="invalid_key",
        hint="Ask the operator for another key.",
    )
