from collections.abc import Sequence

from octavia.engines.load import chain


class Appends:
    """A translator that says what it was asked."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.beams: list[int] = []

    def reads(self, text: str) -> bool:
        return text != "unread"

    def writes(self, text: str) -> bool:
        return text != f"unwritten by {self.language}"

    def translate(self, sentences: Sequence[str], *, beam_size: int = 2) -> list[str]:
        self.beams.append(beam_size)
        return [f"{sentence}>{self.language}" for sentence in sentences]

    def alternatives(self, sentences: Sequence[str], *, count: int) -> list[list[str]]:
        return [[f"{sentence}>{self.language}{number}" for number in range(count)] for sentence in sentences]


def test_each_leg_takes_what_the_one_before_gave() -> None:
    to_english, to_french = Appends("en"), Appends("fr")
    assert chain([to_english, to_french]).translate(["hola", "uno"], beam_size=3) == ["hola>en>fr", "uno>en>fr"]
    assert to_english.beams == to_french.beams == [3]


def test_alternatives_are_the_last_leg_s() -> None:
    legs = [Appends("en"), Appends("fr")]
    assert chain(legs).alternatives(["hola"], count=2) == [["hola>en>fr0", "hola>en>fr1"]]


def test_a_sign_comes_through_if_every_leg_reads_and_writes_it() -> None:
    pivot = chain([Appends("en"), Appends("fr")])
    assert pivot.reads("a")
    assert not pivot.reads("unread")
    assert pivot.writes("a")
    assert not any(map(pivot.writes, ["unread", "unwritten by en", "unwritten by fr"]))
