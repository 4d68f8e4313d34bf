"""Rewritten copies of models, kept in ``.derived`` beside the models' folders."""

import mmap
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from octavia import programs

_VERSION = 1
"""Part of a copy's name; raise it with every change to the rewritten models."""

log = structlog.get_logger()


def sped_up(path: Path) -> Path:
    """Return a copy of the model at ``path`` with its integer convolutions rewritten; ``path`` if that is impossible.

    The copy is made once, in a process of its own because that takes several times the model's size in memory. Several
    processes may ask at once.
    """
    stat = path.stat()
    folder = path.parent.parent / ".derived" / path.parent.name
    kept = folder / f"{path.stem}-{stat.st_size:x}-{stat.st_mtime_ns:x}-{_VERSION}.onnx"
    if os.access(kept, os.R_OK):
        return kept
    if not _has_integer_convolutions(path):
        return path
    try:
        for each in (folder.parent, folder):
            with suppress(FileExistsError):
                each.mkdir()
                # Whoever may read the model may read its copy.
                shutil.copymode(path.parent, each)
        with TemporaryDirectory(dir=folder.absolute()) as workshop:
            made = Path(workshop) / path.name
            # Not imported: it needs the package ``onnx``, which may be missing.
            subprocess.run(
                programs.module(f"{__package__}.rewriting", str(path.absolute()), str(made)),
                env=programs.environment(),
                cwd=workshop,
                check=True,
                timeout=300,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            shutil.copymode(path, made)
            made.replace(kept)
        for other in folder.glob("*.onnx"):
            if other != kept:
                other.unlink(missing_ok=True)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        log.warning("model_not_sped_up", model=path.name, reason=said[-1] if said else type(error).__name__)
        return path
    return kept


def _has_integer_convolutions(path: Path) -> bool:
    with path.open("rb") as file:
        if not path.stat().st_size:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(b"ConvInteger") >= 0
