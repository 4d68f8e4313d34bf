"""The store: installed models on this machine, one folder each, verified before use and changed only whole."""

import errno
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
from filelock import FileLock

from octavia.catalog import integrity, sources, tree
from octavia.catalog.listing import description, from_description
from octavia.catalog.manifest import Manifest
from octavia.catalog.model import Model
from octavia.catalog.sources import Progress, SourceError, Wanted
from octavia.catalog.tree import FileEntry
from octavia.errors import ModelError
from octavia.settings import Settings

log = structlog.get_logger()

_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Installed:
    """Where an installed model is: ``source`` gave it; one used ``in_place`` is not the store's to change."""

    folder: Path
    source: str
    in_place: bool


class Store:
    """The models installed on this machine.

    Parameters:
      models_dir: The folder they are kept in; made when first needed.
      hub_url: Base URL of the model hub.
    """

    def __init__(self, models_dir: Path, *, hub_url: str) -> None:
        self.models_dir = models_dir.absolute()
        self._hub_url = hub_url
        # Models in packages have no manifest: each is hashed once, under the lock.
        self._verified_in_place: dict[Path, str] = {}
        self._verifying = threading.Lock()

    @classmethod
    def of(cls, settings: Settings) -> "Store":
        """The store that the settings name."""
        return cls(settings.models_dir, hub_url=settings.hub_url)

    def installed(self, model: Model) -> bool:
        """Whether the model is here, without looking into its files."""
        return self.where(model) is not None

    def where(self, model: Model) -> Installed | None:
        """Where the model is: in the store, else in the package or in a package of this environment."""
        manifest = Manifest.read(self._folder(model))
        # Another digest than the catalogue's is another version of the model: as good as not installed.
        if manifest and (not model.sha256 or manifest.sha256 == model.sha256):
            return Installed(self._folder(model), manifest.source, in_place=False)
        for source in model.sources:
            folder = self._source(source).in_place()
            if folder is not None:
                return Installed(folder, source, in_place=True)
        return None

    def path(self, model: Model) -> Path:
        """The verified folder of an installed model. Files are hashed again only when their size or time changed.

        Raises:
          ModelError: ``model_unavailable``: not installed; ``model_damaged``: a file is not what was installed.
        """
        return self._verified(model, deep=False)

    def verify(self, model: Model) -> Path:
        """Like ``path``, but every file is read and hashed.

        Raises:
          ModelError: As ``path``.
        """
        return self._verified(model, deep=True)

    def digest(self, model: Model) -> str:
        """The tree digest of an installed model: the catalogue's, or the one pinned when it was installed.

        Raises:
          ModelError: ``model_unavailable``.
        """
        manifest = Manifest.read(self._folder(model))
        if model.sha256 or manifest is None:
            self._require(model)
            return model.sha256
        return manifest.sha256

    def pull(self, model: Model, progress: Progress | None = None, *, force: bool = False) -> Path:
        """Install a model from the first of its sources that can give it; one that is installed is only verified.

        Whoever comes second, in this process or another, waits for the first and finds it done.

        Parameters:
          progress: Called with a label, the bytes done and the bytes in all.
          force: Fetch it even if it is installed, to mend it.

        Raises:
          ModelError: ``model_unavailable``: no source could give it, with each one's reason; ``storage_full``;
            ``model_damaged``: the one installed is, and ``force`` was not given.
        """
        if not force and self.installed(model):
            return self.path(model)
        with self._exclusive(model.id):
            if not force and self.installed(model):
                return self.path(model)
            self._check_space(model)
            reasons = []
            for source in model.sources:
                try:
                    return self._install_from(source, model, progress or _silent)
                except SourceError as error:
                    log.info("model_source_failed", model=model.id, source=source, reason=str(error))
                    reasons.append(f"{source}: {error}")
        raise ModelError(
            f"The model {model.id} could not be fetched. " + "; ".join(f"{reason}." for reason in reasons),
            hint=f"Mend one of these, then `{model.pull_command}`; without a network: `octavia models import FILE "
            f"--id {model.id}`.",
        )

    def install(self, model: Model, source: str, fill: Callable[[Path], None]) -> Path:
        """Install a catalogued model from files that come from elsewhere; replaces what was there.

        Parameters:
          source: What to note as the origin.
          fill: Puts the files into the empty folder it is given.

        Raises:
          ModelError: ``model_damaged``: they are not what the catalogue pins; ``storage_full``.
        """
        with self._exclusive(model.id), _not_these_files(model):
            return self._install(model, source, lambda target, _: fill(target))

    def install_new(self, model: Model, source: str, fill: Callable[[Path], None]) -> Model:
        """Install a model that the catalogue does not know and keep its description with it.

        Returns the description with its size and digest filled in.

        Raises:
          ModelError: ``model_damaged``: a file is missing; ``storage_full``.
        """
        with self._exclusive(model.id), _not_these_files(model):
            self._install(model, source, lambda target, _: fill(target), describe=True)
        manifest = Manifest.read(self._folder(model))
        if manifest is None or manifest.model is None:
            raise ModelError(f"The model {model.id} was removed while it was installed.", hint="Import it again.")
        return from_description(manifest.model)

    def _install_from(self, source: str, model: Model, progress: Progress) -> Path:
        def fill(target: Path, scratch: Path) -> None:
            self._source(source).fetch(Wanted(model.files, model.size), target, scratch, progress)

        return self._install(model, source, fill)

    def _install(
        self, model: Model, source: str, fill: Callable[[Path, Path], None], *, describe: bool = False
    ) -> Path:
        """Fill a sibling folder, verify it, then put it in the model's place by renaming."""
        pulls = self._pulls(model.id)
        pulls.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=pulls))
        target, scratch = work / "files", work / "scratch"
        try:
            with self._full_is_an_error(model):
                target.mkdir()
                scratch.mkdir()
                fill(target, scratch)
                files = _checked(model, target)
                manifest = Manifest(model.id, source, files)
                if describe:
                    known = replace(model, sha256=manifest.sha256, size=manifest.size)
                    manifest = replace(manifest, model=description(known))
                manifest.write(target)
            folder = self._folder(model)
            if folder.exists():
                folder.rename(work / "replaced")
            target.rename(folder)
        finally:
            shutil.rmtree(pulls, ignore_errors=True)
        log.info("model_installed", model=model.id, source=source, bytes=manifest.size, sha256=manifest.sha256)
        return folder

    def _verified(self, model: Model, *, deep: bool) -> Path:
        here = self._require(model)
        if here.in_place:
            with self._verifying:
                if deep or self._verified_in_place.get(here.folder) != model.sha256:
                    integrity.in_place(model, here.folder, here.source)
                    self._verified_in_place[here.folder] = model.sha256
        else:
            integrity.installed(model, here.folder, deep=deep)
        return here.folder

    def _require(self, model: Model) -> Installed:
        here = self.where(model)
        if here is None:
            raise ModelError(f"The model {model.id} is not installed.", hint=f"Install it with `{model.pull_command}`.")
        return here

    @contextmanager
    def _exclusive(self, model_id: str) -> Iterator[None]:
        """Hold the model's lock; whatever a killed pull left behind is removed, since nobody else can be at it."""
        try:
            locks = self.models_dir / ".locks"
            locks.mkdir(parents=True, exist_ok=True)
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

    def _check_space(self, model: Model) -> None:
        if shutil.disk_usage(self.models_dir).free < model.size:
            raise self._no_space(model)

    @contextmanager
    def _full_is_an_error(self, model: Model) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in _FULL:
                raise self._no_space(model) from error
            raise SourceError(f"{type(error).__name__}: {error}") from error
        except SourceError as error:
            if os.strerror(errno.ENOSPC).lower() in str(error).lower():
                raise self._no_space(model) from error
            raise

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
        """Where the model's pulls work: on the same disk as the models, so that a rename puts one in its place."""
        return self.models_dir / ".pulls" / model_id

    def _source(self, source: str) -> sources.Source:
        return sources.parse(source, hub_url=self._hub_url)


def _checked(model: Model, folder: Path) -> tuple[FileEntry, ...]:
    """The files of a folder that was just filled.

    Raises:
      SourceError: One is missing, or together they are not what the catalogue pins.
    """
    files = tree.scan(folder, model.files)
    names = {file.name for file in files}
    missing = [pattern for pattern in model.files if "*" not in pattern and pattern not in names]
    if missing or not files:
        raise SourceError(f"without {', '.join(missing or model.files)}")
    found = tree.digest(files)
    if model.sha256 and found != model.sha256:
        raise SourceError(f"the catalogue says sha256 {model.sha256}, these files have {found}")
    return files


@contextmanager
def _not_these_files(model: Model) -> Iterator[None]:
    try:
        yield
    except SourceError as error:
        raise ModelError(
            f"These are not the files of {model.id}: {error}.",
            code="model_damaged",
            hint="Copy the file again from where it was fetched, or import it under another --id.",
        ) from error


def _silent(label: str, done: int, total: int | None) -> None:
    """No one watches."""
