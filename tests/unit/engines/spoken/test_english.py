import pytest

from octavia.engines.spoken import speakable


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # Numbers
        ("35 people and 1,200 dogs", "thirty-five people and one thousand two hundred dogs"),
        (
            "1,234,567.89",
            "one million two hundred thirty-four thousand five hundred sixty-seven point eight nine",
        ),
        ("Pi is 3.14", "Pi is three point one four"),
        ("-5 or 0.05", "minus five or zero point zero five"),
        ("5-10 or 5–10, but 3-2", "five to ten or five to ten, but three two"),
        ("the 2nd, 21st and 100th", "the second, twenty-first and one hundredth"),
        ("½, 1½, 3/4 and 7/8", "one half, one and a half, three quarters and seven over eight"),
        ("COVID-19, MP3 and 5G", "COVID nineteen, MP three and five G"),
        ("a 20-year-old", "a twenty-year-old"),
        ("agent 007", "agent zero zero seven"),
        ("call 555-1234", "call five five five, one two three four"),
        ("+1 (555) 123-4567", "plus one, five five five, one two three, four five six seven"),
        ("v3.11.2", "v three point eleven point two"),
        ("9" * 16, " ".join(["nine"] * 16)),
        ("5+3=8", "five plus three equals eight"),
        # Dates
        ("in 1984", "in nineteen eighty-four"),
        ("1984 people", "one thousand nine hundred eighty-four people"),
        ("in 1905 and 2005", "in nineteen oh five and two thousand five"),
        ("on May 5, 2021.", "on May fifth, twenty twenty-one."),
        ("on Jan. 3rd", "on January third"),
        ("the 4th of July 1776", "the July fourth, seventeen seventy-six"),
        ("2021-05-01", "May first, twenty twenty-one"),
        (
            "12/25/1999 and 25/12/99",
            "December twenty-fifth, nineteen ninety-nine and December twenty-fifth, nineteen ninety-nine",
        ),
        ("13/13/2020", "thirteen/thirteen/two thousand twenty"),
        ("1914–1918 and 1939-45", "nineteen fourteen to nineteen eighteen and nineteen thirty-nine to forty-five"),
        ("the 1990s, the '80s", "the nineteen nineties, the eighties"),
        # Times
        ("at 10:30, 10:05 or 10:00", "at ten thirty, ten oh five or ten o'clock"),
        ("at 3 p.m. today", "at three PM today"),
        ("at 3 p.m. Today", "at three PM. Today"),
        ("8:15am", "eight fifteen AM"),
        ("1:02:45", "one hour, two minutes and forty-five seconds"),
        # Money
        ("$3.50", "three dollars and fifty cents"),
        ("$1 and $0.01", "one dollar and one cent"),
        ("£2.01", "two pounds and one penny"),
        ("-€20", "minus twenty euros"),
        ("$1.5 million", "one point five million dollars"),
        ("US$5bn", "five billion dollars"),
        ("100 USD", "one hundred US dollars"),
        # Units
        ("5 km/h", "five kilometers per hour"),
        ("1 kg and 2.5kg", "one kilogram and two point five kilograms"),
        ("21 °C, -5°F", "twenty-one degrees Celsius, minus five degrees Fahrenheit"),
        ("2.5%", "two point five percent"),
        ("25 m²", "twenty-five square meters"),
        ("5-10 GB", "five to ten gigabytes"),
        # Abbreviations
        ("Dr. Smith and Mrs. Jones", "Doctor Smith and Missus Jones"),
        ("Baker St. near St. Paul's", "Baker Street near Saint Paul's"),
        ("No. 5, p. 12, pp. 3-4", "number five, page twelve, pages three to four"),
        ("e.g. this, i.e. that, etc.", "for example this, that is that, et cetera."),
        ("Tom & Jerry vs. us", "Tom and Jerry versus us"),
        ("World War II, Henry VIII and Malcolm X", "World War two, Henry the eighth and Malcolm X"),
        ("Charles I met, and World War I.", "Charles I met, and World War one."),
        # Addresses
        ("See https://www.example.com/a-b?c=1.", "See example dot com slash a dash b."),
        ("info@example.org", "info at example dot org"),
        ("@OctaviaDubs #OpenSource", "at Octavia Dubs hashtag Open Source"),
        ("open report_v2.pdf", "open report underscore v two dot pdf"),
    ],
)
def test_it_is_said_in_words(text: str, said: str) -> None:
    assert speakable(text, "en") == said


@pytest.mark.parametrize(
    "text",
    ["It is so.", "a.b and U.S. law", "He told us.Then left.", "a < b or b > c", "Washington D.C. is far", "and/or"],
)
def test_what_is_in_words_stays(text: str) -> None:
    assert speakable(text, "en") == text
