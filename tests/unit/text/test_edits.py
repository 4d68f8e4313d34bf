"""Utterances and what people mended of them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octavia.errors import InputError
from octavia.text.edits import Original, UtteranceEdit, check_times, with_edit, with_edits, with_known
from octavia.text.utterances import Utterance
from octavia.text.words import Word

MADE = Utterance("0-1", 0, 2.0, 4.0, "The hows is big.", None, (Word(2.0, 4.0, " The", 0.5),))
TEXTS = st.sampled_from(["", "One.", "The house is big.", "La casa."])
EDITS = st.builds(
    UtteranceEdit,
    source=st.none() | TEXTS,
    translation=st.none() | TEXTS,
    voice=st.none() | st.just("joe"),
    start=st.none() | st.sampled_from([0.5, 2.0]),
    end=st.none() | st.sampled_from([4.0, 5.0]),
)


@settings(max_examples=100)
@given(EDITS, EDITS, st.none() | TEXTS)
def test_what_was_mended_can_be_taken_back_and_mended_again(
    first: UtteranceEdit, second: UtteranceEdit, machine: str | None
) -> None:
    # Given an utterance that was mended, translated, and kept as a file
    mended = with_edit(MADE, first)
    if mended.translation is None:
        mended = replace(mended, translation=machine)
    kept = Utterance.from_dict(mended.to_dict())
    # When it is mended otherwise, from what the file says and from what was recognised
    original = Original.of(MADE)
    from_file = with_edit(original.restored(kept), second)
    from_words = with_edit(MADE, second)
    # Then both are the same, but for words that the file of a mended one does not have any more
    assert replace(from_file, words=()) == replace(from_words, words=())
    assert from_words.edited == second.changed
    assert UtteranceEdit.from_dict(second.to_dict()) == second


def test_another_source_takes_back_the_translation_of_the_one_before() -> None:
    edit = UtteranceEdit(translation="La casa es grande.", voice="joe").then({"source": "The house is small."})
    assert edit == UtteranceEdit(source="The house is small.", voice="joe")
    both = edit.then({"source": "A house.", "translation": "Una casa."})
    assert both == UtteranceEdit(source="A house.", translation="Una casa.", voice="joe")
    assert both.then({"translation": None, "voice": None}) == UtteranceEdit(source="A house.")


def test_words_are_of_what_was_recognised() -> None:
    assert with_edit(MADE, UtteranceEdit(translation="La casa.", voice="joe")).words == MADE.words
    assert with_edit(MADE, UtteranceEdit(source="The house is big.")).words == ()
    assert with_edit(MADE, UtteranceEdit(end=3.0)).words == ()


def test_only_translations_of_the_same_text_by_the_models_are_taken_from_before() -> None:
    # Given a run before, in which somebody had mended one translation and one text
    before = [
        replace(MADE, id="0-0", translation="máquina"),
        replace(MADE, id="0-1", translation="persona", edited=("translation",)),
        replace(MADE, id="0-2", text="Other.", translation="otro", edited=("source",)),
    ]
    # When the next run has the recognised texts again
    now = [replace(MADE, id=f"0-{number}") for number in range(4)]
    # Then only what the models made of these texts needs no model
    assert [one.translation for one in with_known(now, before)] == ["máquina", None, None, None]
    # And what a person wrote stays
    assert with_known([replace(now[0], translation="mía")], before)[0].translation == "mía"


LINE = [Utterance(f"0-{number}", 0, number * 2.0, number * 2.0 + 1.5, "Hi.") for number in range(3)]


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ({"_1": UtteranceEdit(start=1.0)}, "0-0"),
        ({"_1": UtteranceEdit(end=4.5)}, "0-2"),
        ({"_1": UtteranceEdit(start=4.5, end=5.0)}, "0-2"),
        ({"_1": UtteranceEdit(end=1.9)}, "ends before it begins"),
        ({"_0": UtteranceEdit(start=-1.0)}, "within the recording"),
        ({"_2": UtteranceEdit(end=7.1)}, "within the recording"),
        ({"_0": UtteranceEdit(end=3.0), "_1": UtteranceEdit(start=2.9)}, "overlaps"),
    ],
)
def test_times_that_cannot_be_are_refused_with_the_neighbour(edits: dict[str, UtteranceEdit], said: str) -> None:
    # Given a recording of seven seconds, and three utterances in it
    changes = {f"0-{id[1:]}": edit for id, edit in edits.items()}
    # When times are mended so that they cannot be
    with pytest.raises(InputError, match=said) as refused:
        check_times(with_edits(LINE, changes), changes, 7.0)
    # Then the error says which utterance is in the way
    assert (refused.value.code, bool(refused.value.hint)) == ("invalid_times", True)


def test_times_that_can_be_are_taken() -> None:
    changes = {"0-0": UtteranceEdit(end=3.0), "0-1": UtteranceEdit(start=3.0, end=3.6)}
    check_times(with_edits(LINE, changes), changes, 7.0)
    check_times(with_edits(LINE, {"0-2": UtteranceEdit(end=7.0)}), {"0-2"}, 7.0)


def test_recognised_times_that_overlap_are_nobodys_mistake() -> None:
    # Given utterances whose recognised times overlap, as they do now and then
    heard = [LINE[0], replace(LINE[1], start=1.2)]
    # When something else of one is mended, or its other end
    for edit in (UtteranceEdit(voice="joe"), UtteranceEdit(end=3.4)):
        check_times(with_edits(heard, {"0-1": edit}), {"0-1"}, 7.0)
    # Then that is taken; but what is set must be right
    with pytest.raises(InputError):
        check_times(with_edits(heard, {"0-1": UtteranceEdit(start=1.3)}), {"0-1"}, 7.0)


def test_music_is_not_said_whoever_writes_it() -> None:
    music = replace(MADE, text="[music]", speech=False)
    assert not with_edit(MADE, UtteranceEdit(source="[music]")).speech
    assert not with_edit(music, UtteranceEdit(voice="joe")).speech
    assert with_edit(music, UtteranceEdit(source="Hello.")).speech
    assert with_edit(music, UtteranceEdit(translation="Hola.")).speech
