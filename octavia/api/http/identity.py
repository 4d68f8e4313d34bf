"""On whose behalf a request comes, and what it may do."""

from dataclasses import dataclass, field
from typing import Final

from starlette.requests import HTTPConnection

from octavia.errors import InputError
from octavia.jobs.access.keys import KeyRecord, Scope


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sent a request.

    Parameters:
      key: None where none is needed.
      jobs_in_flight: The most jobs that the key may have in flight; 0: no limit.
    """

    owner: str
    scopes: frozenset[Scope] = field(default=frozenset(Scope))
    key: KeyRecord | None = None
    jobs_in_flight: int = 0

    def require(self, scope: Scope) -> None:
        """Refuse what the key does not allow.

        Raises:
          InputError: ``scope_missing``.
        """
        if scope not in self.scopes:
            raise InputError(
                f"This key does not have the scope {scope}.",
                code="scope_missing",
                hint="Use another key, or have the operator make one: octavia keys create --scope …",
            )


LOCAL: Final = Principal("local")
"""Everybody who can reach an API that asks for no keys."""


def principal(connection: HTTPConnection) -> Principal:
    """Who sent this request."""
    found: Principal = connection.state.principal
    return found


def owner(connection: HTTPConnection) -> str:
    """Whose jobs this request is about."""
    return principal(connection).owner


def no_longer_valid() -> InputError:
    """The error for a key that was good when its request came, and is not any more."""
    return InputError(
        "The key of this request was revoked, or has expired, meanwhile.",
        code="invalid_key",
        hint="Ask the operator for another.",
    )
