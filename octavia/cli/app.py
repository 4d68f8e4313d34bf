"""The ``octavia`` command with all its groups; each command imports heavy packages only when it runs."""

import typer

from octavia.cli import console, database, dead_letters, health, keys, models, queues, services
from octavia.cli.doctor.commands import doctor
from octavia.cli.jobs import commands as jobs
from octavia.cli.jobs import utterances, webhooks
from octavia.cli.local.commands import dub, synthesize, transcribe, translate
from octavia.cli.stack.commands import down, up

app = typer.Typer(
    name="octavia",
    help="Turn recorded speech into text, subtitles and spoken audio in another language.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for command in (dub, transcribe, translate, synthesize, services.serve, services.worker, services.scheduler):
    app.command()(command)
app.command()(doctor)
app.command()(health.health)
app.command(hidden=True)(up)
app.command(hidden=True)(down)
jobs.app.command()(utterances.utterances)
jobs.app.command()(utterances.edit)
app.add_typer(models.app, name="models")
app.add_typer(database.app, name="db")
app.add_typer(keys.app, name="keys")
app.add_typer(jobs.app, name="jobs")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(queues.app, name="queues")
app.add_typer(dead_letters.app, name="dead-letters")


@app.command()
def version() -> None:
    """Print the version."""
    from octavia import __version__

    console.out().print(__version__)
