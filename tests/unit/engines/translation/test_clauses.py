from hypothesis import given
from hypothesis import strategies as st

from octavia.engines.translation.clauses import join, split, words

LONG = (
    "When the war ended in the spring, the soldiers who had survived returned to their villages, but many of them "
    "found that their houses had been burned, their families had moved away, and nobody could tell them where."
)


class TestSplit:
    def test_a_short_sentence_stays_whole(self) -> None:
        assert split("One, two, three.", language="en") == ["One, two, three."]

    def test_a_long_one_is_cut_at_the_comma_nearest_to_the_middle(self) -> None:
        pieces = split(LONG, language="en")
        assert len(pieces) == 2
        assert pieces[0].endswith("returned to their villages,")
        assert " ".join(pieces) == LONG

    def test_english_without_commas_is_cut_at_conjunctions(self) -> None:
        text = " ".join(
            ["we walked along the old river for a long time"] * 2 + ["and then we came home again very tired"] * 2
        )
        pieces = split(text, language="en")
        assert pieces[1].startswith("and then")
        assert " ".join(pieces) == text

    def test_other_languages_are_not_cut_at_english_conjunctions(self) -> None:
        text = "palabra " * 20 + "and " + "palabra " * 8
        assert split(text.strip(), language="es") == [text.strip()]

    def test_a_run_on_of_more_than_twice_the_limit_is_cut_anywhere(self) -> None:
        pieces = split("word " * 100, language="en", longest=25)
        assert all(words(piece) <= 50 for piece in pieces)
        assert sum(map(words, pieces)) == 100

    def test_numbers_are_not_cut_at_their_commas(self) -> None:
        text = "there were exactly 1,234,567 things " * 8
        assert all("1,234,567" in piece for piece in split(text.strip(), language="en"))

    def test_chinese_has_no_spaces(self) -> None:
        text = "我们今天要讨论的问题非常重要而且复杂，因为它关系到每一个人的生活，所以请大家仔细听我说完这些话再提问。"
        pieces = split(text, language="zh")
        assert len(pieces) > 1
        assert "".join(pieces) == text

    @given(st.lists(st.sampled_from(["word", "a", "comma,", "and", "stop;", "12,5"]), min_size=1, max_size=120))
    def test_nothing_but_white_space_is_lost(self, tokens: list[str]) -> None:
        text = " ".join(tokens)
        assert " ".join(split(text, language="en")) == text


class TestJoin:
    def test_stops_and_capitals_inside_go(self) -> None:
        pieces = ["When it ended,", "the soldiers came home;", "Mary did not."]
        assert join(pieces, ["Cuando terminó.", "Los soldados volvieron.", "María no."]) == (
            "Cuando terminó, los soldados volvieron; María no."
        )

    def test_the_translations_own_mark_stays(self) -> None:
        assert join(["So it is:", "good"], ["Así es;", "bueno"]) == "Así es; bueno"

    def test_a_cut_between_words_leaves_no_mark(self) -> None:
        assert join(["so we went", "and slept."], ["Así que fuimos.", "Y dormimos."]) == "Así que fuimos y dormimos."

    def test_a_mark_that_goes_takes_its_opening_one_with_it(self) -> None:
        assert join(["good job,", "you and I."], ["¡Buen trabajo!", "¿Tú y yo."]) == "Buen trabajo, ¿tú y yo."

    def test_the_english_pronoun_keeps_its_capital(self) -> None:
        assert join(["llovió,", "creo."], ["It rained.", "I'm sure."]) == "It rained, I'm sure."

    def test_acronyms_keep_their_capitals(self) -> None:
        assert join(["it rained,", "the UN said."], ["Llovió,", "ONU dijo."]) == "Llovió, ONU dijo."

    def test_an_empty_translation_leaves_no_gap(self) -> None:
        assert join(["a,", "b,", "c."], ["A,", "", "C."]) == "A, c."

    def test_one_piece_is_left_alone(self) -> None:
        assert join(["Hi."], ["Hola."]) == "Hola."

    def test_chinese_takes_no_spaces(self) -> None:
        assert join(["one,", "two."], ["一，", "二。"]) == "一，二。"
