"""The sound tracks of a file, and the choice among them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import langcodes
from av.container import InputContainer
from av.stream import Disposition

from octavia.errors import InputError
from octavia.media.bounds import MOST_CHANNELS, RATES

# Words in titles, in the languages of most discs: many tracks are flagged by nothing else.
_ASIDE = re.compile(
    r"comm?ent|kommentar|コメンタリー|评论|評論|комментар|"
    r"audio.?des[ck]ri|descri(bed|ptive)|visual(ly)? impair|\bfor the blind|\bDVS\b|(?-i:\bAD\b)|hörfilm|sehbehindert|"
    r"malvoyant|тифло|解説",
    re.IGNORECASE,
)
_ASIDE_FLAGS = (
    Disposition.comment
    | Disposition.visual_impaired
    | Disposition.descriptions
    | Disposition.clean_effects
    | Disposition.non_diegetic
    | Disposition.karaoke
)
# Names that muxers give by themselves.
_NO_TITLE = re.compile(r"handler|ISO Media", re.IGNORECASE)
# Distance of two languages up to which speakers of one understand the other: nb and no, en-GB and en-US.
_SAME_LANGUAGE = 9
_MOST_LISTED = 8
_LONGEST_TITLE = 40


@dataclass(frozen=True, slots=True)
class SoundTrack:
    """One sound track, as its file describes it.

    Attributes:
      number: From 1, among the sound tracks.
      language: A code of any of the ISO 639 standards; None if the file does not say.
      codec: FFmpeg's name; empty if it knows none.
      default: Players play this one.
      aside: A commentary, for the visually impaired, or without speech: not what most people hear.
      readable: Octavia can decode it.
    """

    number: int
    language: str | None
    title: str
    codec: str
    channels: int
    default: bool
    aside: bool
    readable: bool

    def __str__(self) -> str:
        """Its number and what tells it apart, such as ``2 (eng, "Commentary", ac3, 2 channels, default)``."""
        title = f'"{self.title}"' if self.title else ""
        channels = {0: "", 1: "mono"}.get(self.channels, f"{self.channels} channels")
        parts = [self.language, title, self.codec, channels, "default" if self.default else ""]
        return f"{self.number} ({', '.join(part for part in parts if part)})"


def sound_tracks(container: InputContainer) -> tuple[SoundTrack, ...]:
    """Describe all sound tracks of an open file, in order."""
    return tuple(_described(number, stream) for number, stream in enumerate(container.streams.audio, 1))


def is_readable(stream: Any) -> bool:
    """Return whether a sound track has a decoder, and a rate and channels that a recording has."""
    # A codec without a decoder has no context; the stubs do not say so.
    context = getattr(stream, "codec_context", None)
    return context is not None and context.sample_rate in RATES and 1 <= context.channels <= MOST_CHANNELS


def choose(tracks: Sequence[SoundTrack], language: str | None = None) -> SoundTrack:
    """Choose the track to hear: of the language, if there is one; then the default one; then one without comments.

    Parameters:
      language: The language spoken in the recording, if it is known.

    Raises:
      InputError: ``no_audio``: there is none.
    """
    if not tracks:
        raise InputError(
            "The file has no sound.", code="no_audio", hint="Use a file with an audio track.", field="file"
        )
    readable = [track for track in tracks if track.readable] or tracks
    spoken = [track for track in readable if language and _is_spoken(track.language, language)]
    # Some containers flag every track as the default.
    return min(spoken or readable, key=lambda track: (not track.default, track.aside))


def numbered(tracks: Sequence[SoundTrack], number: int) -> SoundTrack:
    """Return the track with that number.

    Raises:
      InputError: ``no_such_track``; the hint lists the tracks.
    """
    if 1 <= number <= len(tracks):
        return tracks[number - 1]
    choose(tracks)
    raise InputError(
        f"There is no sound track {number}.",
        code="no_such_track",
        hint=f"The file has {listed(tracks)}.",
        field="audio_track",
    )


def listed(tracks: Sequence[SoundTrack]) -> str:
    """Describe the tracks in a line."""
    shown = "; ".join(str(track) for track in tracks[:_MOST_LISTED])
    return shown + (f"; and {len(tracks) - _MOST_LISTED} more" if len(tracks) > _MOST_LISTED else "")


def _described(number: int, stream: Any) -> SoundTrack:
    context = getattr(stream, "codec_context", None)
    told = stream.metadata.get("language", "und")
    named = stream.metadata.get("title") or _own_name(stream.metadata.get("handler_name", ""))
    title = "".join(character for character in named if character.isprintable())[:_LONGEST_TITLE]
    return SoundTrack(
        number=number,
        language=None if told in ("und", "mis", "mul", "zxx") else told,
        title=title,
        codec=context.name if context else "",
        channels=context.channels if context else 0,
        default=bool(stream.disposition & Disposition.default),
        aside=bool(stream.disposition & _ASIDE_FLAGS) or bool(_ASIDE.search(title)),
        readable=is_readable(stream),
    )


def _own_name(handler: str) -> str:
    return "" if _NO_TITLE.search(handler) else handler


def _is_spoken(told: str | None, language: str) -> bool:
    try:
        return told is not None and langcodes.tag_distance(told, language) <= _SAME_LANGUAGE
    except ValueError:
        return False
