"""Verify that a model's files are those that were installed; hash a file only if its size or time has changed."""

import os
from dataclasses import replace
from pathlib import Path

from octavia.catalog import tree
from octavia.catalog.manifest import Manifest
from octavia.catalog.model import Model
from octavia.errors import ModelError


def in_place(model: Model, folder: Path, source: str) -> None:
    """Hash the files of a model in a Python package, which has no manifest to compare with.

    Parameters:
      source: The source that has it, as the catalogue writes it.

    Raises:
      ModelError: ``model_damaged``.
    """
    found = tree.digest(tree.scan(folder, model.files))
    if found != model.sha256:
        bundled = source.startswith("bundled:")
        remedy = "pip install --force-reinstall octavia" if bundled else f"{model.pull_command} --force"
        what = f"its files have sha256 {found}, the catalogue says {model.sha256}"
        raise _damaged(model, folder, what, f"Install it again with `{remedy}`.")


def installed(model: Model, folder: Path, *, deep: bool) -> None:
    """Compare a model in the store with its manifest.

    Parameters:
      deep: Hash every file, not only those with a new size or time of change.

    Raises:
      ModelError: ``model_damaged``.
    """
    again = "." if model.sources else ", or import it again with `octavia models import`."
    hint = f"Fetch it again with `{model.pull_command} --force`{again}"
    manifest = Manifest.read(folder)
    if manifest is None:  # Another process is replacing the model, and has verified the new files.
        return
    files = []
    for noted in manifest.files:
        try:
            stat = (folder / noted.name).stat()
        except OSError:
            raise _damaged(model, folder, f"{noted.name} (sha256 {noted.sha256}) is missing", hint) from None
        if deep or (stat.st_size, stat.st_mtime_ns) != (noted.size, noted.mtime_ns):
            now = tree.entry(folder, noted.name)
            if now.sha256 != noted.sha256:
                what = f"{noted.name} has sha256 {now.sha256}, installed was {noted.sha256}"
                raise _damaged(model, folder, what, hint)
            files.append(now)
        else:
            files.append(noted)
    if tuple(files) != manifest.files and os.access(folder, os.W_OK):
        replace(manifest, files=tuple(files)).write(folder)  # Touched but not changed: do not hash them again.


def _damaged(model: Model, folder: Path, what: str, hint: str) -> ModelError:
    return ModelError(f"The model {model.id} in {folder} is damaged: {what}.", code="model_damaged", hint=hint)
