"""One clock for recordings that were joined byte by byte, as receivers, cameras and ``cat`` join transport streams."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from av.container import InputContainer

# Formats whose files stay valid when they are joined; each part keeps a clock of its own, of 33 bits.
_JOINABLE: Final = frozenset({"mpegts", "mpeg"})
# Seconds. A longer step ahead that all tracks make is a joint, as in FFmpeg; a shorter one is a pause.
_AHEAD = 10
# A step back by more is a joint too: within one recording, packets are in order.
_BACK = Fraction(1, 2)


@dataclass(slots=True)
class _Part:
    """One of the recordings: its times by its own clock, and the seconds that make them those of the whole."""

    shift: Fraction
    first: Fraction
    last: Fraction


class Continuity:
    """Gives the packets of a container times from the start of the file, which go on over joints.

    All packets of all tracks must pass in order: a step is a joint only if every track makes it.

    Attributes:
      joinable: False if the container cannot be joined; its packets keep their times.
    """

    def __init__(self, container: InputContainer) -> None:
        self.joinable = not _JOINABLE.isdisjoint(container.format.name.split(","))
        self._start = Fraction(container.start_time or 0, 1_000_000)
        self._newest: _Part | None = None
        self._parts: dict[int, _Part] = {}
        self._reached: dict[int, Fraction] = {}
        self._end = Fraction(0)

    def set_time(self, packet: Any) -> None:
        """Change the times of the next packet of the file."""
        if not self.joinable or packet.time_base is None:
            return
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is None:
            return
        order = (packet.dts if packet.dts is not None else stamp) * packet.time_base
        part = self._part_of(packet.stream.index, order, stamp * packet.time_base)
        ticks = round(part.shift / packet.time_base)
        end = (stamp + (packet.duration or 0)) * packet.time_base + part.shift
        self._end = max(self._end, end)
        if packet.pts is not None:
            packet.pts += ticks
        if packet.dts is not None:
            packet.dts += ticks

    def _part_of(self, track: int, order: Fraction, shown: Fraction) -> _Part:
        """The part of a packet; ``order`` and ``shown`` are when it is decoded and shown, by the part's own clock."""
        own, newest = self._parts.get(track), self._newest
        step = order - self._reached[track] if own else None
        if own is not None and step is not None and -_BACK <= step <= _AHEAD:
            part = own
        elif newest is not None and (own is not newest or (step is not None and step > 0)) and _fits(newest, order):
            part = newest
        else:
            part = self._new_part(order, shown)
        self._parts[track], self._reached[track] = part, order
        part.last = max(part.last, order)
        return part

    def _new_part(self, order: Fraction, shown: Fraction) -> _Part:
        if self._newest is None:
            # The first packet need not be that of the track that starts first.
            near = abs(shown - self._start) <= _AHEAD
            shift = -self._start if near else -shown
        else:
            shift = self._end - shown
        self._newest = _Part(shift, order, order)
        return self._newest


def _fits(part: _Part, order: Fraction) -> bool:
    return part.first - _AHEAD <= order <= part.last + _AHEAD
