"""``octavia webhooks``: the webhooks of all jobs of a running service, over its HTTP API."""

from typing import Annotated

import typer

from octavia.cli import console
from octavia.cli.jobs.commands import ApiKey, Url, client_of, print_models
from octavia.jobs.tables.states import DeliveryStatus
from octavia.links import LOCAL_URL

app = typer.Typer(no_args_is_help=True, help="List the webhooks of all jobs, and deliver them again.")

AllOwners = Annotated[bool, typer.Option("--all-owners", help="Those of all owners; the key needs the scope admin.")]


@app.command("list")
def list_webhooks(
    status: Annotated[
        DeliveryStatus | None, typer.Option(help="Only webhooks with this status.", show_default=False)
    ] = None,
    all_owners: AllOwners = False,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of webhooks.")] = 20,
    json: console.Json = False,
    url: Url = LOCAL_URL,
    api_key: ApiKey = None,
) -> None:
    """List webhooks, newest first; --json has all of long addresses and errors."""
    with client_of(url, api_key) as octavia:
        found = list(octavia.webhooks(status=status and status.value, all_owners=all_owners, limit=limit))
    if json:
        print_models(*found, many=True)
        return
    table = console.table("id", "status", "attempts", "since", "job", "url", "error")
    for one in found:
        since = one.created_at.strftime("%Y-%m-%d %H:%M")
        address, error = _shortened(one.url, 38), _shortened(one.error or "", 42)
        table.add_row(str(one.id), one.status, str(one.attempts), since, str(one.job_id), address, error)
    console.print_table(table)


@app.command()
def redeliver(
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Ids from list.")],
    all_owners: AllOwners = False,
    json: console.Json = False,
    url: Url = LOCAL_URL,
    api_key: ApiKey = None,
) -> None:
    """Deliver webhooks again at once, with repeats as for new ones."""
    with client_of(url, api_key) as octavia:
        again = [octavia.redeliver(delivery_id, all_owners=all_owners) for delivery_id in ids]
    if json:
        print_models(*again, many=True)
        return
    for one in again:
        typer.echo(f"{one.id} is delivered again.")


def _shortened(text: str, most: int) -> str:
    """Cut a text, as one that is too long would cost the ids their last characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
