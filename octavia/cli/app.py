"""The ``octavia`` command, put together; heavy rooms are imported only by the command that needs them."""

import typer

from octavia.cli import console, database, dead_letters, keys, models, services
from octavia.cli.doctor import commands as doctor
from octavia.cli.jobs import commands as jobs
from octavia.cli.jobs import mending
from octavia.cli.local import commands as pipeline
from octavia.cli.stack import commands as stack

app = typer.Typer(
    name="octavia",
    help="Recorded speech in one language into text, subtitles and spoken audio in another.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
pipeline.register(app)
services.register(app)
stack.register(app)
app.add_typer(models.app, name="models")
app.add_typer(database.app, name="db")
app.add_typer(keys.app, name="keys")
app.add_typer(jobs.app, name="jobs")
mending.register(jobs.app)
app.add_typer(dead_letters.app, name="dead-letters")
doctor.register(app)


@app.command()
def version() -> None:
    """Print the version."""
    from octavia import __version__

    console.out().print(__version__)
