import pytest

from octavia.engines.characters import has_letter, plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("“It’s me,” she said…", '"It\'s me," she said...'),
        ("Yes—I think so", "Yes - I think so"),
        ("Yes – maybe", "Yes - maybe"),
        ("1914–1918", "1914–1918"),
        ("Hello 😀  there\n", "Hello there"),
        ("25 °C © ™", "25 °C © ™"),
        ("👍🏽 Yes ❤️ 👩‍👩‍👧 🇪🇸 1️⃣", "Yes"),
        ("", ""),
    ],
)
def test_plain(text: str, expected: str) -> None:
    assert plain(text) == expected


def test_has_letter() -> None:
    assert has_letter("a1")
    assert has_letter("日")
    assert not has_letter("1984, ... 12:30")
