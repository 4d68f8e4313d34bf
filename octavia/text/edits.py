"""People's edits to utterances: text, translation, voice and times."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any, Self

from octavia.errors import InputError
from octavia.text.utterances import Utterance, is_said

# Times are kept to the millisecond.
_HALF_A_MILLISECOND = 0.0005


@dataclass(frozen=True, slots=True)
class UtteranceEdit:
    """The edited fields of one utterance; a field that is None was not edited.

    Attributes:
      source: The text in the source language; empty if nothing is said.
      translation: The text in the target language; empty for silence.
      voice: The id of the voice that speaks it.
      start, end: Seconds in the recording.
    """

    source: str | None = None
    translation: str | None = None
    voice: str | None = None
    start: float | None = None
    end: float | None = None

    @property
    def changed(self) -> tuple[str, ...]:
        """The names of the edited fields."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name) is not None)

    def to_dict(self) -> dict[str, Any]:
        """Return the edited fields as a JSON object."""
        return {name: getattr(self, name) for name in self.changed}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Self:
        """Make an edit from ``to_dict``; fields of a newer release are ignored."""
        return cls(**{field.name: value[field.name] for field in fields(cls) if field.name in value})

    def then(self, given: Mapping[str, Any]) -> Self:
        """Return this edit with some fields edited again; None takes an edit back.

        A new source also takes back the translation, which was of the source before.
        """
        again = {"translation": None} if "source" in given else {}
        return replace(self, **{**again, **given})


@dataclass(frozen=True, slots=True)
class Original:
    """An utterance's text and times as the models made them, before any edit."""

    source: str
    start: float
    end: float

    @classmethod
    def of(cls, utterance: Utterance) -> Self:
        """Take them from an utterance without edits."""
        return cls(utterance.text, utterance.start, utterance.end)

    def restored(self, mended: Utterance) -> Utterance:
        """Return an edited utterance as the models made it, without its translation."""
        return replace(
            mended,
            text=self.source if "source" in mended.edited else mended.text,
            start=self.start if "start" in mended.edited else mended.start,
            end=self.end if "end" in mended.edited else mended.end,
            translation=None,
            voice=None,
            edited=(),
        )


def with_edit(utterance: Utterance, edit: UtteranceEdit) -> Utterance:
    """Return an utterance as the models made it, with an edit."""
    text = utterance.text if edit.source is None else edit.source
    translation = edit.translation if edit.translation is not None or text else ""
    timed = edit.start is not None or edit.end is not None
    return replace(
        utterance,
        text=text,
        translation=translation,
        speech=_speech(utterance, edit),
        # The recognised words are not the words said there now.
        words=() if timed or text != utterance.text else utterance.words,
        start=utterance.start if edit.start is None else edit.start,
        end=utterance.end if edit.end is None else edit.end,
        voice=edit.voice,
        edited=edit.changed,
    )


def _speech(utterance: Utterance, edit: UtteranceEdit) -> bool:
    """Return True if the edited utterance is spoken: text written in place of ``[music]`` is, ``[music]`` is not."""
    if edit.translation is not None:
        return True
    return utterance.speech if edit.source is None else is_said(edit.source)


def with_edits(utterances: Iterable[Utterance], edits: Mapping[str, UtteranceEdit]) -> list[Utterance]:
    """Return utterances as the models made them, with edits by utterance id."""
    return [with_edit(one, edits[one.id]) if one.id in edits else one for one in utterances]


def with_known(utterances: Iterable[Utterance], before: Iterable[Utterance]) -> list[Utterance]:
    """Fill in missing translations from an earlier run where the text is unchanged and the translation unedited."""
    made = {(one.id, one.text): one.translation for one in before if "translation" not in one.edited}
    return [
        replace(one, translation=made.get((one.id, one.text))) if one.translation is None else one for one in utterances
    ]


def check_times(utterances: Sequence[Utterance], mended: Iterable[str], duration: float | None) -> None:
    """Check that edited utterances lie within the recording and do not overlap their neighbours.

    Parameters:
      utterances: All utterances of the job, in order, with their edits.
      mended: The ids of the utterances to check.
      duration: Length of the recording in seconds; None if unknown.

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
        # Recognised times may overlap a little; only times that people set are checked.
        if not ids & {before.id, after.id} or ("end" not in before.edited and "start" not in after.edited):
            continue
        if after.start < before.end - _HALF_A_MILLISECOND:
            late, other = (after, before) if after.id in ids else (before, after)
            raise _wrong_times(
                late,
                f"overlaps the utterance {other.id}, which lasts from {other.start:.3f} to {other.end:.3f} s",
                hint=f"Choose other times, or move {other.id} in the same request.",
            )


def _wrong_times(utterance: Utterance, what: str, *, hint: str) -> InputError:
    field = "start" if "start" in utterance.edited else "end"
    return InputError(
        f"The utterance {utterance.id}, from {utterance.start:.3f} to {utterance.end:.3f} s, {what}.",
        code="invalid_times",
        hint=hint,
        field=field,
    )
