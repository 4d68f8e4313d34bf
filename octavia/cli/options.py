"""Options that ``octavia dub`` and its relatives share with ``octavia jobs submit``."""

from pathlib import Path
from typing import Annotated

import typer

Input = Annotated[
    Path | None,
    typer.Argument(help="A recording, subtitles or a text file; - reads text from stdin.", show_default=False),
]
Text = Annotated[str | None, typer.Option("--text", help="The text itself, instead of a file.")]
From = Annotated[str, typer.Option("--from", help="Language of the input; 'auto' detects it from speech.")]
Voice = Annotated[str | None, typer.Option(help="Voice to speak with; `octavia models list --long` lists them.")]
Speakers = Annotated[
    list[str] | None,
    typer.Option(
        "--speaker",
        metavar="NAME=VOICE",
        help="Voice for one speaker of subtitles that name their speakers; may be repeated.",
        show_default=False,
    ),
]
Revoice = Annotated[bool, typer.Option("--revoice", help="Keep the language, and speak it with another voice.")]
Replace = Annotated[bool, typer.Option("--replace-audio", help="Leave the original sound out of the dubbed film.")]
Glossary = Annotated[
    Path | None,
    typer.Option(
        "--glossary",
        metavar="FILE",
        help="Fixed translations of terms: a JSON object, .csv or .tsv.",
        show_default=False,
    ),
]
Track = Annotated[
    int | None,
    typer.Option(
        "--track",
        min=1,
        metavar="N",
        help="Sound track of the recording to work on, from 1; if not given, the one in the language of --from, else "
        "the default one.",
        show_default=False,
    ),
]
