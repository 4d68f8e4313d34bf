"""``octavia dub | transcribe | translate | synthesize``: the whole pipeline in this process's own workers."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from octavia.cli import console
from octavia.cli import fields as job_fields
from octavia.cli.local.extras import FORMATS as EXTRA_FORMATS
from octavia.cli.local.extras import Extras
from octavia.cli.local.order import Request, subtitle_format, text_input
from octavia.jobs.tables.states import Background
from octavia.media.formats import FORMATS
from octavia.text import glossaries

File = Annotated[Path, typer.Argument(help="An audio or video file.", show_default=False)]
TextOrFile = Annotated[
    Path | None, typer.Argument(help="A text file, a recording, or - for text on stdin.", show_default=False)
]
TextFile = Annotated[Path | None, typer.Argument(help="A text file, or - for stdin.", show_default=False)]
Text = Annotated[str | None, typer.Option("--text", help="The text itself, instead of a file.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the results; if not given, FILE-COMMAND.")]
From = Annotated[str, typer.Option("--from", help="Language spoken or written; 'auto' listens for it.")]
Language = Annotated[str, typer.Option("--language", "--from", "-l", help="Language of the text.", show_default=False)]
To = Annotated[str, typer.Option("--to", help="Language to translate into.", show_default=False)]
MaybeTo = Annotated[str | None, typer.Option("--to", help="Language to dub into.", show_default=False)]
Voice = Annotated[str | None, typer.Option(help="Voice to speak with; `octavia models list --long` names them.")]
Speakers = Annotated[
    list[str] | None,
    typer.Option(
        "--speaker",
        metavar="NAME=VOICE",
        help="A voice for one speaker of subtitles that name their speakers; may be repeated.",
        show_default=False,
    ),
]
Formats = Annotated[str, typer.Option(help=f"Audio formats, comma-separated: {', '.join(FORMATS)}.")]
Speed = Annotated[float, typer.Option(min=0.25, max=4.0, help="Speaking rate; 1 is natural.")]
Mix = Annotated[
    Background, typer.Option("--background", help="The original under the dub; duck: quieter while the dub speaks.")
]
Level = Annotated[
    float | None,
    typer.Option(
        "--background-level", min=-60, max=0, show_default=False, help="How loud, in dB; -18 for duck, else 0."
    ),
]
Replace = Annotated[bool, typer.Option("--replace-audio", help="Leave a film's own sound out of the video.")]
Revoice = Annotated[bool, typer.Option("--revoice", help="Keep the language, speak it with another voice.")]
Glossary = Annotated[
    Path | None,
    typer.Option(
        "--glossary", metavar="FILE", help="What terms become: a JSON object, or .csv or .tsv.", show_default=False
    ),
]
Slots = Annotated[int | None, typer.Option(min=1, max=64, help="Worker processes; if not given, OCTAVIA_WORKER_SLOTS.")]
Restart = Annotated[bool, typer.Option("--restart", help="Drop what an earlier, unfinished run left in the folder.")]
Subtitles = Annotated[
    str | None,
    typer.Option(help=f"Subtitle formats beside SubRip and WebVTT, comma-separated: {', '.join(EXTRA_FORMATS)}."),
]
Bilingual = Annotated[
    bool, typer.Option("--bilingual", help="Also write subtitles in both languages: bilingual.srt, …")
]
WordTimes = Annotated[bool, typer.Option("--word-times", help="Say in transcript.vtt when each word is said.")]
Json = Annotated[bool, typer.Option("--json", help="Print a machine-readable summary on stdout.")]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (dub, transcribe, translate, synthesize):
        app.command()(command)


def dub(
    file: File,
    to: MaybeTo = None,
    source: From = "auto",
    voice: Voice = None,
    speaker: Speakers = None,
    formats: Formats = "wav",
    speed: Speed = 1.0,
    revoice: Revoice = False,
    background: Mix = Background.NONE,
    background_level: Level = None,
    replace_audio: Replace = False,
    subtitles: Subtitles = None,
    bilingual: Bilingual = False,
    word_times: WordTimes = False,
    glossary: Glossary = None,
    out: Out = None,
    slots: Slots = None,
    restart: Restart = False,
    json: Json = False,
) -> None:
    """Dub a recording, a film or subtitles: translation, subtitles, a voice track, and the film with all of them."""
    if to is None and not revoice:
        console.usage_error("The language to dub into is missing.", "missing_field", "Say it with --to, e.g. --to es.")
    if bilingual and revoice:
        console.usage_error("There are not two languages.", "not_applicable", "Leave --bilingual or --revoice out.")
    extras = Extras.chosen(subtitles, bilingual=bilingual, words=word_times)
    if glossary is not None and revoice:
        console.usage_error("Nothing is translated with --revoice.", "not_applicable", "Leave --glossary out.")
    request = Request.media(
        "dub",
        file,
        source=source,
        target=to,
        voice=voice,
        voices=job_fields.voices_of(speaker),
        formats=formats,
        speed=speed,
        revoice=revoice,
        **job_fields.of_original(background, background_level, replace_audio=replace_audio),
        glossary=_terms(glossary),
    )
    _run(request, out, slots, restart=restart, json=json, extras=extras)


def transcribe(
    file: File,
    source: From = "auto",
    subtitles: Subtitles = None,
    word_times: WordTimes = False,
    out: Out = None,
    slots: Slots = None,
    restart: Restart = False,
    json: Json = False,
) -> None:
    """Write down what is said in a recording, as text and subtitles."""
    extras = Extras.chosen(subtitles, words=word_times)
    _run(Request.media("transcribe", file, source=source), out, slots, restart=restart, json=json, extras=extras)


def translate(
    to: To,
    file: TextOrFile = None,
    text: Text = None,
    source: From = "auto",
    subtitles: Subtitles = None,
    bilingual: Bilingual = False,
    word_times: WordTimes = False,
    glossary: Glossary = None,
    out: Out = None,
    slots: Slots = None,
    restart: Restart = False,
    json: Json = False,
) -> None:
    """Translate a recording into text and subtitles, a text into text, or subtitles, keeping their cues."""
    terms = _terms(glossary)
    extras = Extras.chosen(subtitles, bilingual=bilingual, words=word_times)
    given = None if text is None and subtitle_format(file) else text_input(file, text)
    if given is None and file is not None:
        request = Request.media("translate", file, source=source, target=to, glossary=terms)
    elif extras != Extras():
        console.usage_error(
            "A text has no times, and so no subtitles.",
            "not_applicable",
            "Leave --subtitles, --bilingual and --word-times out, or give a recording.",
        )
    else:
        request = Request.text("translate", given, source=source, target=to, name=file, glossary=terms)
    _run(request, out, slots, restart=restart, json=json, extras=extras)


def synthesize(
    language: Language,
    file: TextFile = None,
    text: Text = None,
    voice: Voice = None,
    speaker: Speakers = None,
    formats: Formats = "wav",
    speed: Speed = 1.0,
    out: Out = None,
    slots: Slots = None,
    restart: Restart = False,
    json: Json = False,
) -> None:
    """Speak a text; or subtitles, each cue at its time."""
    if file is not None and text is None and subtitle_format(file):
        voices = job_fields.voices_of(speaker)
        request = Request.media(
            "synthesize", file, source=language, voice=voice, voices=voices, formats=formats, speed=speed
        )
        _run(request, out, slots, restart=restart, json=json, extras=Extras())
    if speaker:
        console.usage_error("A text names no speakers.", "not_applicable", "Leave --speaker out, or give subtitles.")
    given = text_input(file, text)
    if given is None:
        console.usage_error(f"{file} is not text.", "not_text", "Give a UTF-8 text file, - for stdin, or --text.")
    request = Request.text("synthesize", given, source=language, voice=voice, formats=formats, speed=speed, name=file)
    _run(request, out, slots, restart=restart, json=json, extras=Extras())


def _terms(glossary: Path | None) -> dict[str, str] | None:
    return (glossaries.read(glossary) or None) if glossary is not None else None


def _run(
    request: Request, out: Path | None, slots: int | None, *, restart: bool, json: bool, extras: Extras
) -> NoReturn:
    # Only here: the rooms behind it take a second to import, and a wrong option should answer at once.
    from octavia.cli.local.execute import execute

    raise typer.Exit(
        execute(request, out or request.default_out, slots=slots, restart=restart, json=json, extras=extras)
    )
