"""Subtitle files beyond those that every job writes, made from its JSON results."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from octavia.errors import InputError

FORMATS = ("ass", "ttml")
"""The subtitle formats that are written only on request."""


@dataclass(frozen=True, slots=True)
class ExtraSubtitles:
    """The requested files.

    Attributes:
      formats: Besides SubRip and WebVTT, for all subtitles.
      bilingual: Also write both languages in one file, in all formats.
      words: Mark the time of each word in the WebVTT of the transcript.
    """

    formats: tuple[str, ...] = ()
    bilingual: bool = False
    words: bool = False

    @classmethod
    def chosen(cls, formats: str | None, *, bilingual: bool = False, words: bool = False) -> Self:
        """Read the options of the command line; ``formats`` are separated by commas.

        Raises ``InputError`` (``unsupported_format``) for an unknown one.
        """
        names = [name.strip().lower() for name in (formats or "").split(",") if name.strip()]
        unknown = [name for name in names if name not in FORMATS]
        if unknown or (formats is not None and not names):
            raise InputError(
                f"There is no subtitle format {unknown[0][:40]!r}." if unknown else "No subtitle format is given.",
                code="unsupported_format",
                hint=f"There are {', '.join(FORMATS)}; SubRip and WebVTT are always written.",
            )
        return cls(tuple(dict.fromkeys(names)), bilingual, words)

    def write(self, made: Sequence[Path], out: Path) -> list[Path]:
        """Write the requested files; return the paths of all results.

        ``made`` are the results of the job, in the folder ``out``. Raises ``OctaviaError`` as ``write_result``.
        """
        # Imported only here, as below: it takes a second, and a wrong option is reported at once.
        from octavia.local import write_result

        paths = list(made)
        for name, text in self._files({path.name: path for path in made}):
            path = out / name
            write_result(path, io.BytesIO(text.encode()))
            if path not in paths:
                paths.append(path)
        return paths

    def _files(self, made: dict[str, Path]) -> Iterator[tuple[str, str]]:
        from octavia import subtitles
        from octavia.text.transcripts import Transcript

        found = {
            kind: Transcript.from_json(made[f"{kind}.json"].read_bytes(), translated=kind == "translation")
            for kind in ("transcript", "translation")
            if f"{kind}.srt" in made
        }
        for kind, transcript in found.items():
            for format, text in subtitles.files(self.formats, transcript):
                yield f"{kind}.{format}", text
        if self.words and "transcript" in found:
            yield "transcript.vtt", subtitles.write("vtt", found["transcript"], words=True)
        if self.bilingual and "translation" in found:
            # Work on subtitles makes no transcript.
            said, meant = found.get("transcript"), found["translation"]
            language = said.language if said else None
            shown = subtitles.bilingual(meant.utterances, source_language=language, language=meant.language)
            for format in ("srt", "vtt", *self.formats):
                yield f"bilingual.{format}", subtitles.encode(format, shown)
