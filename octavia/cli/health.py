"""``octavia health``: what a container's health check asks, in a second and with no further program."""

import socket
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Final

import typer

from octavia.cli import console
from octavia.cli.configuration import get_settings
from octavia.errors import Unavailable

if TYPE_CHECKING:
    from octavia.settings import Settings

_SECONDS: Final = 4.0
_WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


def health(
    ready: Annotated[bool, typer.Option("--ready", help="Ask whether it can take jobs (/readyz), too.")] = False,
    worker: Annotated[bool, typer.Option("--worker", help="Ask for this host's workers instead of the API.")] = False,
) -> None:
    """Check that the API of this machine or container answers; exit code 1 if it does not."""
    if ready and worker:
        console.usage_error("--ready asks the API, --worker the workers.", hint="Give one of both.")
    settings = get_settings()
    if worker:
        console.say(_workers(settings))
    else:
        console.say(_api(settings, "/readyz" if ready else "/healthz"))


def _api(settings: "Settings", path: str) -> str:
    import httpx

    host = _WILDCARDS.get(settings.host, settings.host)
    url = settings.model_copy(update={"host": host}).url + path
    try:
        answer = httpx.get(url, timeout=_SECONDS, trust_env=False)
    except httpx.TransportError as error:
        raise Unavailable(
            f"The API does not answer at {url}: {str(error) or type(error).__name__}.",
            code="api_unavailable",
            hint="Its log says why; OCTAVIA_HOST and OCTAVIA_PORT say where it is asked.",
        ) from error
    if answer.status_code != httpx.codes.OK:
        raise Unavailable(f"{url} answers {answer.status_code}: {answer.text}", code="not_ready")
    return f"{url} answers."


def _workers(settings: "Settings") -> str:
    from octavia.jobs.status.workers import list_workers
    from octavia.jobs.tables import pauses
    from octavia.jobs.tables.database import Database, clock
    from octavia.jobs.tables.states import PauseMode

    host = socket.gethostname()
    with closing(Database.of(settings)) as database:
        since = clock(database) - settings.patience
        living = [each for each in list_workers(database) if each.host == host and each.pid and each.seen_at > since]
        orders = [pause for pause in pauses.list_pauses(database) if pause.host in ("", host)]
    if not living and any(order.mode is PauseMode.DRAIN for order in orders):
        # Whoever starts the container anew for that would only end its supervisor.
        return f"No worker of {host} lives, as an operator has ordered."
    if not living:
        raise Unavailable(
            f"No worker of {host} was seen since {since:%H:%M:%S} UTC.",
            code="no_workers",
            hint="The log of `octavia worker` says what became of them.",
        )
    return f"Living workers of {host}: {len(living)}."
