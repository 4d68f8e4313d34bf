"""Give a film another voice: copy its picture untouched, and add the voice and subtitles, in the same container."""

import heapq
import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, BinaryIO, TypeAlias, cast

import av
from av.container import Flags, OutputContainer
from av.packet import Packet
from av.stream import Disposition, Stream

from octavia.errors import InputError
from octavia.media.containers import VIDEO_FORMATS, Target, add_copy, holds, opened
from octavia.media.continuity import Continuity
from octavia.media.source import OpenMedia, is_picture, open_media

AnyPacket: TypeAlias = "Packet[Any]"

_MILLISECOND = Fraction(1, 1000)
# At most so many bytes per sample in an MP4's index: its size, duration, shift, key flag and chunk.
_INDEX_BYTES = 48
_INDEX_REST = 64 * 1024
# FFmpeg's default style for text without one.
_STYLE = (
    b"[V4+ Styles]\nFormat: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, "
    b"Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, "
    b"MarginR, MarginV, Encoding\nStyle: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,"
    b"10,0\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
)


@dataclass(frozen=True, slots=True)
class Captions:
    """One track of subtitles: its language (ISO 639-2) and the content of its SRT or VTT file."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """The film to make.

    Attributes:
      format: One of ``VIDEO_FORMATS``.
      language: Language of the voice, ISO 639-2.
      original_language: Language of the film's own sound tracks that do not state one, ISO 639-2.
      replace: Leave the film's own sound out.
      captions: Subtitles in the order of their tracks.
    """

    format: str
    language: str
    original_language: str
    replace: bool
    captions: tuple[Captions, ...]

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> "Recipe":
        """Build a recipe from the result of ``dataclasses.asdict``."""
        return cls(**{**value, "captions": tuple(Captions(**track) for track in value["captions"])})


def mux(source: BinaryIO, voice: BinaryIO, recipe: Recipe, target: Target) -> list[str]:
    """Write a film with its picture, the voice as its first sound track, its own other tracks, and subtitles.

    Voice and captions start at time 0 of the film, as defined by ``decode``. Memory grows by some tens of bytes per
    packet, whatever its size.

    Returns:
      The codecs of the film's tracks that were left out because the container cannot hold them.

    Raises:
      InputError: ``video_unusable``: the picture cannot be read, or the container cannot hold it; and the errors of
        ``open_media``.
    """
    try:
        with open_media(source) as film, open_media(voice) as dub:
            muxer = _Muxer(film, dub, recipe)
            muxer.write(target)
            return muxer.left_out
    except (av.FFmpegError, ValueError) as error:
        raise InputError(
            f"The picture cannot be copied into {recipe.format}: {_reason(error)}.",
            code="video_unusable",
            hint="If it plays, convert the film, for example to MP4 with H.264, and use the result.",
            field="file",
        ) from error


class _Muxer:
    """One pass over one film."""

    def __init__(self, film: OpenMedia, dub: OpenMedia, recipe: Recipe) -> None:
        self.left_out: list[str] = []
        self._film = film.container
        self._dub = dub
        self._recipe = recipe
        self._format = VIDEO_FORMATS[recipe.format]
        self._continuity = Continuity(self._film)
        self._origin = Fraction(0 if self._continuity.joinable else self._film.start_time or 0, 1_000_000)
        # Some containers only give the order in which pictures are decoded.
        self._film.flags |= cast(int, Flags.gen_pts.value)

    def write(self, target: Target) -> None:
        """Write the whole film."""
        pictures = self._pictures()
        sounds = [] if self._recipe.replace else self._held("audio")
        texts = self._held("subtitle")
        with opened(target, self._recipe.format, [*pictures, *sounds, *texts], self._options()) as output:
            tracks: dict[int, Stream] = {}
            for stream in pictures:
                disposition = Disposition(0) if tracks else Disposition.default
                tracks[stream.index] = _copied(output, stream, stream.metadata.get("language", ""), disposition)
            voice = _copied(output, self._dub.stream, self._recipe.language, Disposition.default)
            for stream in (*sounds, *texts):
                untold = self._recipe.original_language if stream.type == "audio" else "und"
                told = stream.metadata.get("language", "und")
                tracks[stream.index] = _copied(output, stream, untold if told == "und" else told, Disposition(0))
            captions = [(track, self._captions(output, track)) for track in self._recipe.captions]
            if "title" in self._film.metadata:
                output.metadata["title"] = self._film.metadata["title"]
            output.start_encoding()
            added = heapq.merge(
                _voice_packets(self._dub, voice),
                *(self._caption_packets(track, stream) for track, stream in captions),
                key=_time,
            )
            for packet in _interleaved(self._film_packets(tracks), added):
                output.mux(packet)

    def _options(self) -> dict[str, str]:
        """Reserve space for an MP4's index at its beginning if its size is known, so that it plays while it loads."""
        # Do not hold the film back in memory until the next caption comes: packets are in order already.
        options = {"max_interleave_delta": "500000"}
        own = [stream for stream in self._film.streams if stream.type in ("video", "audio", "subtitle")]
        known = all(stream.frames for stream in own)
        # For PCM, FFmpeg counts samples instead of packets.
        bare = any((stream.codec_context.name if stream.codec_context else "").startswith("pcm_") for stream in own)
        if self._format.captions != "mov_text" or not known or bare:
            return options
        voice = (self._dub.stream.duration or 0) // 1024 + 16
        captions = sum(2 * track.text.count("-->") + 2 for track in self._recipe.captions)
        samples = sum(stream.frames for stream in own) + voice + captions
        return {**options, "moov_size": str(samples * _INDEX_BYTES + _INDEX_REST)}

    def _pictures(self) -> list[Any]:
        pictures = list(filter(is_picture, self._film.streams.video))
        for stream in pictures:
            if not holds(self._recipe.format, stream):
                raise ValueError(f"no container that Octavia writes can hold {_codec(stream)}")
        return pictures

    def _held(self, kind: str) -> list[Any]:
        """The film's own tracks of a kind, as far as the container can hold them; the others are noted."""
        tracks = []
        for stream in self._film.streams:
            if stream.type != kind:
                continue
            if holds(self._recipe.format, stream):
                tracks.append(stream)
            else:
                self.left_out.append(_codec(stream))
        return tracks

    def _captions(self, output: OutputContainer, track: Captions) -> Stream:
        if self._format.captions == "mov_text":
            # Its encoder writes the description of the text's style, which players expect; packets are made here.
            made = output.add_stream("mov_text")
            made.codec_context.subtitle_header = _STYLE
            stream: Stream = made
        else:
            stream = output.add_mux_stream(self._format.captions)
        stream.time_base = _MILLISECOND
        stream.metadata["language"] = track.language
        return stream

    def _film_packets(self, tracks: dict[int, Stream]) -> Iterator[AnyPacket]:
        reached: dict[int, int] = {}
        wanted = None if self._continuity.joinable else [self._film.streams[index] for index in tracks]
        for packet in self._film.demux(wanted):
            self._continuity.set_time(packet)
            index = packet.stream.index
            if index not in tracks or not packet.size or packet.time_base is None:
                continue
            shift = round(self._origin / packet.time_base)
            if packet.pts is not None:
                packet.pts -= shift
            if packet.dts is not None:
                packet.dts -= shift
                if self._continuity.joinable:
                    # Where parts overlap a little, as their tracks end one after the other.
                    packet.dts = reached[index] = max(packet.dts, reached.get(index, packet.dts))
                    packet.pts = packet.pts and max(packet.pts, packet.dts)
            packet.stream = tracks[index]
            yield packet

    def _caption_packets(self, track: Captions, stream: Stream) -> Iterator[AnyPacket]:
        if "-->" not in track.text:
            return
        with av.open(io.BytesIO(track.text.encode()), "r", format=self._format.text_demuxer) as texts:
            for given in texts.demux():
                if not given.size:
                    continue
                text = bytes(given)
                if self._format.captions == "mov_text":
                    text = len(text).to_bytes(2, "big") + text
                packet: AnyPacket = Packet(text)
                packet.pts = packet.dts = given.pts
                packet.duration, packet.time_base = given.duration, given.time_base
                packet.stream = stream
                yield packet


def _copied(output: OutputContainer, stream: Any, language: str, disposition: Disposition) -> Stream:
    copy: Stream = add_copy(output, stream)
    if language:
        copy.metadata["language"] = language
    copy.disposition = disposition
    return copy


def _codec(stream: Any) -> str:
    return str(stream.codec_context.name) if stream.codec_context else f"an unknown codec ({stream.type})"


def _voice_packets(dub: OpenMedia, stream: Stream) -> Iterator[AnyPacket]:
    for packet in dub.container.demux(dub.stream):
        if packet.size:
            packet.stream = stream  # type: ignore[assignment]
            yield packet


def _interleaved(main: Iterator[AnyPacket], added: Iterator[AnyPacket]) -> Iterator[AnyPacket]:
    """Put each added packet before the first later one of the film, whose own packets stay in their order."""
    waiting = next(added, None)
    for packet in main:
        while waiting is not None and _time(waiting) <= _time(packet):
            yield waiting
            waiting = next(added, None)
        yield packet
    if waiting is not None:
        yield waiting
    yield from added


def _time(packet: AnyPacket) -> Fraction:
    time = packet.dts if packet.dts is not None else packet.pts
    return Fraction(0) if time is None or packet.time_base is None else time * packet.time_base


def _reason(error: Exception) -> str:
    """Return FFmpeg's message without the file name."""
    return str(getattr(error, "strerror", None) or error).rstrip(".")
