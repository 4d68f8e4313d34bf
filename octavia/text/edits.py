"""What people mended of utterances, and what the utterances are with that."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Self

from octavia.errors import InputError
from octavia.text.utterances import Utterance, is_said

# Times are kept to the millisecond.
_HALF_A_MILLISECOND = 0.0005


@dataclass(frozen=True, slots=True)
class Edit:
    """What was mended of one utterance; None: nothing, it is as the models made it.

    Attributes:
      source: What is said; empty: nothing.
      translation: The same in the target language; empty: silence.
      voice: The id of the voice that speaks it.
      start, end: Seconds in the recording.
    """

    source: str | None = None
    translation: str | None = None
    voice: str | None = None
    start: float | None = None
    end: float | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of what was mended."""
        return tuple(name for name in self.__slots__ if getattr(self, name) is not None)

    def to_dict(self) -> dict[str, Any]:
        """As a JSON object, of what was mended alone."""
        return {name: getattr(self, name) for name in self.fields}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        """From ``to_dict``; what a newer release mended besides is ignored."""
        return cls(**{name: value[name] for name in cls.__slots__ if name in value})

    def then(self, given: Mapping[str, Any]) -> Self:
        """This, and then some fields mended again; None takes one back.

        Another source takes back a translation, which was of the one before.
        """
        again = {"translation": None} if "source" in given else {}
        return replace(self, **{**again, **given})


@dataclass(frozen=True, slots=True)
class Original:
    """What the models made of an utterance before it was mended: its text and times."""

    source: str
    start: float
    end: float

    @classmethod
    def of(cls, utterance: Utterance) -> Self:
        """Of one that is as the models made it."""
        return cls(utterance.text, utterance.start, utterance.end)

    def restored(self, mended: Utterance) -> Utterance:
        """A mended utterance as it was, but for its translation."""
        return replace(
            mended,
            text=self.source if "source" in mended.edited else mended.text,
            start=self.start if "start" in mended.edited else mended.start,
            end=self.end if "end" in mended.edited else mended.end,
            translation=None,
            voice=None,
            edited=(),
        )


def applied(utterance: Utterance, edit: Edit) -> Utterance:
    """An utterance as the models made it, with what was mended of it."""
    text = utterance.text if edit.source is None else edit.source
    translation = edit.translation if edit.translation is not None or text else ""
    timed = edit.start is not None or edit.end is not None
    return replace(
        utterance,
        text=text,
        translation=translation,
        speech=_speech(utterance, edit),
        # What was recognised, and when, is not what is said there now.
        words=() if timed or text != utterance.text else utterance.words,
        start=utterance.start if edit.start is None else edit.start,
        end=utterance.end if edit.end is None else edit.end,
        voice=edit.voice,
        edited=edit.fields,
    )


def _speech(utterance: Utterance, edit: Edit) -> bool:
    """What somebody writes is to be said, in the place of music too, unless it is music that they write."""
    if edit.translation is not None:
        return True
    return utterance.speech if edit.source is None else is_said(edit.source)


def apply(utterances: Iterable[Utterance], edits: Mapping[str, Edit]) -> list[Utterance]:
    """Utterances as the models made them, with what was mended, by id."""
    return [applied(one, edits[one.id]) if one.id in edits else one for one in utterances]


def with_known(utterances: Iterable[Utterance], before: Iterable[Utterance]) -> list[Utterance]:
    """Utterances with the translations that a run before made of the same texts."""
    made = {one.id: one for one in before if "translation" not in one.edited}

    def known(one: Utterance) -> Utterance:
        if one.translation is not None:
            return one
        former = made.get(one.id)
        return one if former is None or former.text != one.text else replace(one, translation=former.translation)

    return [known(one) for one in utterances]


def check_times(utterances: Sequence[Utterance], mended: Iterable[str], duration: float | None) -> None:
    """See that mended utterances lie within the recording, in order, and do not overlap their neighbours.

    Parameters:
      utterances: All of the job, in order, with what was mended.
      mended: The ids of those to be looked at.
      duration: Of the recording, in seconds; None: any.

    Raises:
      InputError: ``invalid_times``, naming the neighbour.
    """
    ids = set(mended)
    for one in utterances:
        if one.id not in ids or not {"start", "end"} & set(one.edited):
            continue
        if one.start < 0 or (duration is not None and one.end > duration + _HALF_A_MILLISECOND):
            within = f"Keep it within 0 and {duration:.3f} s." if duration is not None else "Begin at 0 s or later."
            raise _wrong_times(one, "does not lie within the recording", hint=within)
        if one.end <= one.start:
            raise _wrong_times(one, "ends before it begins", hint="Give an end after its start.")
    for before, after in pairwise(utterances):
        # Recognisers' own times may touch; only what people set is theirs to mend.
        if not ids & {before.id, after.id} or ("end" not in before.edited and "start" not in after.edited):
            continue
        if after.start < before.end - _HALF_A_MILLISECOND:
            late, other = (after, before) if after.id in ids else (before, after)
            raise _wrong_times(
                late,
                f"overlaps the utterance {other.id}, which lasts from {other.start:.3f} to {other.end:.3f} s",
                hint=f"Leave that time out, or move {other.id} in the same request.",
            )


def _wrong_times(utterance: Utterance, what: str, *, hint: str) -> InputError:
    field = "start" if "start" in utterance.edited else "end"
    return InputError(
        f"The utterance {utterance.id}, from {utterance.start:.3f} to {utterance.end:.3f} s, {what}.",
        code="invalid_times",
        hint=hint,
        field=field,
    )
