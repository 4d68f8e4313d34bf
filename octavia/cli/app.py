"""The ``octavia`` command with all its groups; each command imports heavy packages only when it runs."""

import typer

from octavia.cli import console, database, dead_letters, keys, models, services
from octavia.cli.doctor import commands as doctor
from octavia.cli.jobs import commands as jobs
from octavia.cli.jobs import utterances
from octavia.cli.local import commands as local
from octavia.cli.stack import commands as stack

app = typer.Typer(
    name="octavia",
    help="Turn recorded speech into text, subtitles and spoken audio in another language.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
local.register(app)
services.register(app)
stack.register(app)
app.add_typer(models.app, name="models")
app.add_typer(database.app, name="db")
app.add_typer(keys.app, name="keys")
app.add_typer(jobs.app, name="jobs")
utterances.register(jobs.app)
app.add_typer(dead_letters.app, name="dead-letters")
doctor.register(app)


@app.command()
def version() -> None:
    """Print the version."""
    from octavia import __version__

    console.out().print(__version__)
