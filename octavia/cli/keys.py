"""``octavia keys``: the keys of clients of the HTTP API."""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from octavia.cli import console
from octavia.cli.configuration import get_settings
from octavia.cli.database import opened
from octavia.errors import InputError

if TYPE_CHECKING:
    from octavia.jobs.access.keys import KeyRecord, Scope

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke keys of the HTTP API.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name of the key, to tell it from others.")],
    owner: Annotated[
        str | None, typer.Option(help="Owner of the jobs; keys of one owner share their jobs. If not given, NAME.")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="jobs:read, jobs:write or admin; may be repeated. Default: the first two."),
    ] = None,
    expires: Annotated[str | None, typer.Option(help="Days, such as 90d, or an ISO date or time in UTC.")] = None,
    webhook_url: Annotated[str | None, typer.Option(help="URL that is notified when a job of this key ends.")] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option(help="Limit on requests; 0 for none. If not given, that of the settings.")
    ] = None,
    jobs_in_flight: Annotated[
        int | None, typer.Option(help="Limit on unfinished jobs; 0 for none. If not given, that of the settings.")
    ] = None,
    json: console.Json = False,
) -> None:
    """Create a key. It is shown only once, because only its hash is stored."""
    from octavia import outbound
    from octavia.api.resources.keys import DEFAULT_SCOPES, NewKeyOut
    from octavia.jobs.access import keys

    if webhook_url is not None:
        outbound.check_url(webhook_url, get_settings(), field="webhook_url")
    scopes = [_scope(name) for name in scope] if scope else DEFAULT_SCOPES
    end = _end(expires) if expires is not None else None
    with opened() as database:
        if get_settings().embedded:
            # On one machine a key may be created before the service starts for the first time.
            database.upgrade()
        key, token = keys.create(
            database,
            name,
            owner=owner,
            scopes=scopes,
            expires_at=end,
            webhook_url=webhook_url,
            limits=keys.Limits(requests_per_minute, jobs_in_flight),
        )
    if json:
        console.say(NewKeyOut.of_new(key, token).model_dump_json(indent=2))
        return
    console.say(f"key             {token}")
    console.say(f"webhook secret  {key.webhook_secret}")
    console.say(f"owner           {key.owner}")
    console.say(f"scopes          {_scopes(key)}")
    console.say(f"expires         {_time(key.expires_at) or 'never'}")
    console.say("Save the key and the webhook secret now: they are not shown again.")


@app.command("list")
def list_keys(json: console.Json = False) -> None:
    """List all keys, newest first."""
    from octavia.api.resources.keys import KeyListOut, KeyOut
    from octavia.jobs.access import keys

    with opened() as database:
        found = keys.list_keys(database)
    if json:
        console.say(KeyListOut(keys=[KeyOut.of(key) for key in found]).model_dump_json(indent=2))
        return
    table = console.table("prefix", "name", "owner", "scopes", "created", "last used", "state")
    for key in found:
        used = _time(key.last_used_at) or "never"
        table.add_row(key.prefix, key.name, key.owner, _scopes(key), _time(key.created_at), used, _state(key))
    console.print_table(table)


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Prefix of the key, from `octavia keys list`, or its id.")],
) -> None:
    """Revoke a key at once."""
    from octavia.jobs.access import keys

    with opened() as database:
        revoked = keys.revoke(database, key)
    console.say(f"{revoked.prefix} ({revoked.name}) is revoked.")


def _scope(name: str) -> "Scope":
    from octavia.jobs.access.keys import Scope

    try:
        return Scope(name)
    except ValueError:
        console.usage_error(f"There is no scope {name}.", "unknown_scope", f"Choose from {', '.join(Scope)}.")


def _end(text: str) -> datetime:
    """Read the end of a key, given as days or as a time. Anything else raises ``invalid_field``."""
    if days := re.fullmatch(r"([0-9]{1,5})d", text):
        return datetime.now(UTC) + timedelta(days=int(days[1]))
    try:
        end = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{text!r} is not a time.",
            code="invalid_field",
            hint="Write days, such as 90d, or a date, such as 2027-01-31.",
            field="expires",
        ) from None
    return end if end.tzinfo is not None else end.replace(tzinfo=UTC)


def _state(key: "KeyRecord") -> str:
    if key.revoked_at is not None:
        return f"revoked {_time(key.revoked_at)}"
    if key.expires_at is None:
        return "valid"
    return f"{'expired' if key.expires_at <= datetime.now(UTC) else 'valid until'} {_time(key.expires_at)}"


def _scopes(key: "KeyRecord") -> str:
    from octavia.jobs.access.keys import Scope

    return " ".join(scope for scope in Scope if scope in key.scopes)


def _time(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if moment is not None else ""
