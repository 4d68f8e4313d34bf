"""``octavia models``: list the models, and install them on this machine."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.filesize import decimal

from octavia.cli import console
from octavia.cli.configuration import get_settings
from octavia.errors import ModelError

if TYPE_CHECKING:
    from octavia.catalog import Catalog, Model, Store

app = typer.Typer(no_args_is_help=True, help="List, fetch and import models.")

TaskName = Literal["speech", "translation", "voice"]
"""The task of a model, as the command line takes it."""


@app.command("list")
def list_models(
    task: Annotated[TaskName | None, typer.Option(help="Only models for this task.")] = None,
    installed: Annotated[bool, typer.Option("--installed", help="Only models on this machine.")] = False,
    long: Annotated[bool, typer.Option("--long", help="Show voices, sources, folders and sha256 too.")] = False,
) -> None:
    """List the models of the catalogue and imported models."""
    catalog, store = _open()
    chosen = [model for model in catalog.models if task in (None, model.task)]
    if installed:
        chosen = [model for model in chosen if store.installed(model)]
    if long:
        for model in chosen:
            console.say(_details(store, model))
        return
    table = console.table("id", "task", "languages", "size", "licence", "installed")
    table.columns[3].justify = "right"
    for model in chosen:
        here = store.where(model)
        state = f"yes ({here.source.partition(':')[0]})" if here else "no"
        table.add_row(model.id, model.task, _languages(model), decimal(model.size), model.licence, state)
    console.print_table(table)


@app.command()
def pull(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids from `octavia models list`.")],
    force: Annotated[bool, typer.Option("--force", help="Fetch installed models again, to repair them.")] = False,
) -> None:
    """Fetch models and verify them; installed models are only verified.

    A failure does not stop the others; the exit code is 1 if any model could not be fetched.
    """
    catalog, store = _open()
    models = [_get(catalog, model_id) for model_id in ids]
    failed = False
    for model in models:
        try:
            _pull(store, model, force=force)
        except ModelError as error:
            console.show_error(error.message, error.code, error.hint)
            failed = True
    if failed:
        raise typer.Exit(console.FAILED)


@app.command("import")
def import_model(
    path: Annotated[Path, typer.Argument(help="A folder, wheel, tarball, .argosmodel, or Piper .onnx.")],
    model_id: Annotated[str | None, typer.Option("--id", help="Id of a model in the catalogue, or a new id.")] = None,
    task: Annotated[TaskName | None, typer.Option(help="For a new model whose files do not show its task.")] = None,
    speaks: Annotated[
        str, typer.Option("--languages", help="For a new model: en,es,…; for a translator, source and target.")
    ] = "",
    licence: Annotated[str, typer.Option(help="For a new model.")] = "",
) -> None:
    """Install a model from a file or folder, without a network.

    A model of the catalogue must have the sha256 that the catalogue states.
    """
    from octavia import temporary
    from octavia.catalog import Task
    from octavia.catalog.importing import import_

    catalog, store = _open()
    tags = [tag for tag in speaks.replace(" ", "").split(",") if tag]
    expected = Task(task) if task else None
    with temporary.below(get_settings().data_dir):
        model = import_(catalog, store, path, model_id=model_id, task=expected, speaks=tags, licence=licence)
    console.say(f"{model.id}: installed, {decimal(model.size)}, sha256 {store.digest(model)}")
    if not model.sources:
        console.say(f"{model.id} is not in the catalogue: {model.task}, {_languages(model)}")
    elif not model.sha256:
        console.say("The catalogue has no sha256 to compare with; this one is recorded to detect later damage.")


def _pull(store: "Store", model: "Model", *, force: bool) -> None:
    """Fetch one model with a progress bar, or verify the installed one, and print the result."""
    if not force and store.installed(model):
        store.path(model, deep=True)
        done = "already installed, verified"
    else:
        with _bar(model) as bar:
            store.pull(model, bar, force=force)
        done = "installed"
    here = store.where(model)
    source = here.source.partition("#")[0] if here else ""
    console.say(f"{model.id}: {done}, {decimal(model.size)}, sha256 {store.digest(model)}, from {source}")


@contextmanager
def _bar(model: "Model") -> Iterator[Callable[[str, int, int | None], None]]:
    """Show the progress of a pull: a bar on a terminal, elsewhere one line when it begins."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    screen = console.err()
    if not screen.is_terminal:
        screen.print(f"{model.id}: fetching {decimal(model.size)}", markup=False)
    with Progress(
        TextColumn("{task.fields[model]}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TextColumn("{task.description}"),
        console=screen,
        disable=not screen.is_terminal,
        transient=True,
    ) as progress:
        task = progress.add_task("", total=model.size or None, model=model.id)
        yield lambda label, done, total: progress.update(task, description=label, completed=done, total=total)


def _open() -> tuple["Catalog", "Store"]:
    from octavia import observability
    from octavia.catalog import Catalog, Store

    settings = get_settings()
    # The commands report errors themselves; the log events help only to debug.
    quiet = settings if settings.log_level == "debug" else settings.model_copy(update={"log_level": "error"})
    observability.configure(quiet)
    return Catalog.load(settings), Store.of(settings)


def _get(catalog: "Catalog", model_id: str) -> "Model":
    try:
        return catalog.get(model_id)
    except ModelError as error:
        console.usage_error(error.message, error.code, error.hint)


def _details(store: "Store", model: "Model") -> str:
    here = store.where(model)
    lines = [
        model.id,
        f"  task       {model.task} ({model.engine})",
        f"  languages  {_languages(model, len(model.languages) + len(model.pairs))}",
        f"  licence    {model.licence}",
        f"  size       {decimal(model.size)}",
        f"  installed  {f'{here.folder} from {here.source}' if here else 'no'}",
        f"  sha256     {(store.digest(model) if here else model.sha256) or 'recorded when it is installed'}",
    ]
    if model.voices:
        lines.append(f"  voices     {', '.join(voice.id for voice in model.voices)}")
    return "\n".join([*lines, *(f"  source     {source}" for source in model.sources), ""])


def _languages(model: "Model", shown: int = 6) -> str:
    """Format pairs as ``en→es`` and languages by code; more than ``shown`` only as a number."""
    entries: Sequence[str] = [f"{source}→{target}" for source, target in model.pairs] or model.languages
    return " ".join(entries) if len(entries) <= shown else f"{len(model.languages)} languages"
