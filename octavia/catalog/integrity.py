"""Whether a model's files are still what was installed; they are hashed only when something speaks for a change."""

import os
import threading
from dataclasses import replace
from pathlib import Path

from octavia.catalog import tree
from octavia.catalog.manifest import Manifest
from octavia.catalog.model import Model
from octavia.errors import ModelError

_verified_in_place: dict[Path, str] = {}
_verifying = threading.Lock()


def in_place(model: Model, folder: Path, source: str, *, deep: bool) -> None:
    """Check a model in a package, once per process: nothing beside its files says when they last were as they should.

    Parameters:
      source: Which of its sources has it.
      deep: Check it again.

    Raises:
      ModelError: ``model_damaged``.
    """
    with _verifying:
        if not deep and _verified_in_place.get(folder) == model.sha256:
            return
        found = tree.digest(tree.scan(folder, model.files))
        if found != model.sha256:
            remedy = "pip install --force-reinstall octavia"
            if not source.startswith("bundled:"):
                remedy = f"{model.pull_command} --force"
            raise ModelError(
                f"The model {model.id} in {folder} is damaged: its files have sha256 {found}, the catalogue "
                f"says {model.sha256}.",
                code="model_damaged",
                hint=f"Mend it with `{remedy}`.",
            )
        _verified_in_place[folder] = model.sha256


def installed(model: Model, folder: Path, *, deep: bool) -> None:
    """Check a model in the store by its manifest.

    Parameters:
      deep: Hash every file, not only those whose size or time has changed.

    Raises:
      ModelError: ``model_damaged``.
    """
    manifest = Manifest.read(folder)
    if manifest is None:  # replaced by another process just now: what it put there, it verified
        return
    files = []
    for noted in manifest.files:
        try:
            stat = (folder / noted.name).stat()
        except OSError:
            raise _damaged(model, folder, f"{noted.name} (sha256 {noted.sha256}) is missing") from None
        if deep or (stat.st_size, stat.st_mtime_ns) != (noted.size, noted.mtime_ns):
            now = tree.entry(folder, noted.name)
            if now.sha256 != noted.sha256:
                what = f"{noted.name} has sha256 {now.sha256}, installed was {noted.sha256}"
                raise _damaged(model, folder, what)
            files.append(now)
        else:
            files.append(noted)
    if tuple(files) != manifest.files and os.access(folder, os.W_OK):
        replace(manifest, files=tuple(files)).write(folder)  # touched, not changed: need not be hashed again


def _damaged(model: Model, folder: Path, what: str) -> ModelError:
    return ModelError(
        f"The model {model.id} in {folder} is damaged: {what}.",
        code="model_damaged",
        hint=f"Mend it with `{model.pull_command} --force`"
        + ("." if model.sources else ", or import it again with `octavia models import`."),
    )
