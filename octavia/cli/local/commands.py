"""``octavia dub | transcribe | translate | synthesize``: the whole pipeline on this machine, without a service."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from octavia import garbage
from octavia.cli import console, fields
from octavia.cli.inputs import read_input, subtitle_format
from octavia.cli.local.extra_subtitles import FORMATS as EXTRA_FORMATS
from octavia.cli.local.extra_subtitles import ExtraSubtitles
from octavia.cli.local.order import Order
from octavia.cli.options import From, Glossary, Input, Replace, Revoice, Speakers, Text, Track, Voice
from octavia.jobs.tables.states import Background
from octavia.media.formats import FORMATS

File = Annotated[Path, typer.Argument(help="An audio or video file, or subtitles.", show_default=False)]
Recording = Annotated[Path, typer.Argument(help="An audio or video file.", show_default=False)]
TextFile = Annotated[
    Path | None, typer.Argument(help="A text file or subtitles; - reads text from stdin.", show_default=False)
]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Folder for the results; if not given, FILE-COMMAND, such as talk-dub."),
]
Language = Annotated[str, typer.Option("--language", "--from", "-l", help="Language of the text.", show_default=False)]
To = Annotated[str, typer.Option("--to", help="Language to translate into.", show_default=False)]
MaybeTo = Annotated[
    str | None, typer.Option("--to", help="Language to dub into; needed unless --revoice is given.", show_default=False)
]
Formats = Annotated[str, typer.Option(help=f"Audio formats, comma-separated: {', '.join(FORMATS)}.")]
Speed = Annotated[float, typer.Option(min=0.25, max=4.0, help="Speaking rate; 1 is natural.")]
Mix = Annotated[
    Background,
    typer.Option(
        "--background", help="The original sound under the dub: keep it, duck it while the dub speaks, or none."
    ),
]
Level = Annotated[
    float | None,
    typer.Option(
        "--background-level",
        min=-60,
        max=0,
        show_default=False,
        help="Level of the background in dB; if not given, -18 for duck and 0 for keep.",
    ),
]
Slots = Annotated[int | None, typer.Option(min=1, max=64, help="Worker processes; if not given, OCTAVIA_WORKER_SLOTS.")]
Restart = Annotated[bool, typer.Option("--restart", help="Discard an unfinished run in the folder, and start anew.")]
Subtitles = Annotated[
    str | None,
    typer.Option(help=f"More subtitle formats than SubRip and WebVTT, comma-separated: {', '.join(EXTRA_FORMATS)}."),
]
Bilingual = Annotated[bool, typer.Option("--bilingual", help="Also write bilingual subtitles: bilingual.srt, …")]
FailOnSilence = Annotated[
    bool,
    typer.Option("--fail-on-silence", help="Exit with 1 if no speech is heard; the files are written all the same."),
]
WordTimes = Annotated[bool, typer.Option("--word-times", help="Mark the time of each word in transcript.vtt.")]


def dub(
    file: File,
    to: MaybeTo = None,
    source: From = "auto",
    track: Track = None,
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
    fail_on_silence: FailOnSilence = False,
    json: console.Json = False,
) -> None:
    """Dub a recording, a film or subtitles: writes the translation, subtitles, a voice track, and the dubbed film."""
    if bilingual and revoice:
        console.usage_error(
            "With --revoice there is only one language.", "not_applicable", "Leave --bilingual or --revoice out."
        )
    extras = ExtraSubtitles.chosen(subtitles, bilingual=bilingual, words=word_times)
    order = Order.of(
        "dub",
        file,
        source=source,
        target=to,
        audio_track=track,
        voice=voice,
        voices=fields.voices_of(speaker),
        formats=formats,
        speed=speed,
        revoice=revoice,
        **fields.original_sound(background, background_level, replace_audio=replace_audio),
        glossary=glossary,
    )
    _run(order, out, slots, restart=restart, json=json, extras=extras, fail_on_silence=fail_on_silence)


def transcribe(
    file: Recording,
    source: From = "auto",
    track: Track = None,
    subtitles: Subtitles = None,
    word_times: WordTimes = False,
    out: Out = None,
    slots: Slots = None,
    restart: Restart = False,
    fail_on_silence: FailOnSilence = False,
    json: console.Json = False,
) -> None:
    """Transcribe a recording into text and subtitles."""
    extras = ExtraSubtitles.chosen(subtitles, words=word_times)
    _run(
        Order.of("transcribe", file, source=source, audio_track=track),
        out,
        slots,
        restart=restart,
        json=json,
        extras=extras,
        fail_on_silence=fail_on_silence,
    )


def translate(
    to: To,
    file: Input = None,
    text: Text = None,
    source: From = "auto",
    track: Track = None,
    subtitles: Subtitles = None,
    bilingual: Bilingual = False,
    word_times: WordTimes = False,
    glossary: Glossary = None,
    out: Out = None,
    slots: Slots = None,
    restart: Restart = False,
    fail_on_silence: FailOnSilence = False,
    json: console.Json = False,
) -> None:
    """Translate a recording into text and subtitles, subtitles into subtitles, or a text into text.

    A text given by --text or on stdin is printed; with --out it is written into files too.
    """
    extras = ExtraSubtitles.chosen(subtitles, bilingual=bilingual, words=word_times)
    given = read_input(file, text)
    order = Order.of("translate", given, source=source, target=to, name=file, glossary=glossary, audio_track=track)
    if isinstance(order.given, str) and order.format is None and extras != ExtraSubtitles():
        console.usage_error(
            "There are no subtitles of a text: it has no times.",
            "not_applicable",
            "Leave --subtitles, --bilingual and --word-times out, or give a recording.",
        )
    if isinstance(order.given, str) and order.format is None and out is None and str(file or "-") == "-":
        with garbage.left_alone():
            from octavia.cli.local.execute import execute_and_print

        raise typer.Exit(execute_and_print(order, slots=slots, json=json))
    _run(order, out, slots, restart=restart, json=json, extras=extras, fail_on_silence=fail_on_silence)


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
    json: console.Json = False,
) -> None:
    """Speak a text, or subtitles with each cue at its time."""
    voices = fields.voices_of(speaker)
    given = read_input(file, text)
    if isinstance(given, Path) and subtitle_format(given) is None:
        console.usage_error(f"{file} is not text.", "not_text", "Give a UTF-8 text file, - for stdin, or --text.")
    order = Order.of(
        "synthesize", given, source=language, voice=voice, voices=voices, formats=formats, speed=speed, name=file
    )
    _run(order, out, slots, restart=restart, json=json, extras=ExtraSubtitles())


def _run(
    order: Order,
    out: Path | None,
    slots: int | None,
    *,
    restart: bool,
    json: bool,
    extras: ExtraSubtitles,
    fail_on_silence: bool = False,
) -> NoReturn:
    # Imported only now: it takes a second, and a wrong option is reported at once.
    with garbage.left_alone():
        from octavia.cli.local.execute import execute

    folder = out or order.default_out
    code = execute(
        order, folder, slots=slots, restart=restart, json=json, extras=extras, fail_on_silence=fail_on_silence
    )
    raise typer.Exit(code)
