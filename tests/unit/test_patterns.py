"""Regular expressions take time in proportion to the text, whatever the text.

The texts are made from each pattern itself: runs of every kind of character that it tells apart, of pairs of them and
of whatever it repeats, behind what leads there, and before what makes it fail.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import BaseRoute, compile_path
from websockets import headers as websocket_headers

from octavia import header_lines, links, web
from octavia.api.openai.errors import PREFIX
from octavia.engines.spoken import money, units, words
from octavia.engines.translation import placeholders
from octavia.engines.translation.glossary import NO_SPACES, Glossary
from octavia.jobs.tables import failures
from tests.support.patterns.adversarial import Attack, attacks
from tests.support.patterns.found import Built, Found, held, modules, path_of, top_level_calls, written
from tests.support.patterns.growth import worst

SEARCH, MATCH, FULLMATCH = frozenset({"search"}), frozenset({"match"}), frozenset({"fullmatch"})

USED_AS = {
    # h11 matches whole lines with it.
    "octavia/header_lines.py: _LINE": FULLMATCH,
    # It is tried behind each time of day, never at every place.
    "octavia/engines/spoken/times.py: _SENTENCE_ENDS": MATCH,
}
"""Uses that the module of a pattern does not show."""

BUILT: dict[str, Callable[[], Iterable[str | re.Pattern[str]]]] = {
    "octavia/engines/replacements.py: __init__": lambda: [
        Glossary({"San José": "x", "a b c": "y", "L'Hospitalet": "z"})._terms._pattern,
        Glossary({"a": "x", "東京 都": "y", "a a a a b": "z"})._terms._pattern,
    ],
    "octavia/engines/spoken/money.py: _pattern": lambda: money._PATTERNS.values(),
    "octavia/engines/spoken/units.py: _pattern": lambda: units._PATTERNS.values(),
    "octavia/engines/spoken/words.py: value": lambda: [f"[{words._SPACES} ]"],
    "octavia/engines/translation/glossary.py: _parted": lambda: [rf"[^\W{NO_SPACES}]"],
    "octavia/engines/translation/placeholders.py: masks": lambda: map(placeholders._alone, "3X"),
    "octavia/jobs/tables/failures.py: unavailable": lambda: [words for words, _ in failures._REFUSALS],
    "octavia/text/cue_files/encodings.py: _fits": lambda: [f"[a-z{lower}][A-Z]" for lower in ("", "äöü")],
}
"""Patterns that functions put together, with parts as they occur."""


@cache
def found() -> list[Found]:
    return [one for module in modules() for one in (*held(module), *written(module)) if isinstance(one, Found)]


def _routes(routes: Iterable[BaseRoute]) -> Iterable[str]:
    return [route.path for route in routes if hasattr(route, "path")]


def libraries() -> list[Found]:
    """Patterns of libraries that read what strangers send, with what we know of their use."""
    paths = [
        *(f"{links.API}{path}" for path in _routes(web._api_routes())),
        *(f"{PREFIX}{path}" for path in _routes(web._openai_routes())),
    ]
    return [
        Found("h11: header_field_re", h11._readers.header_field_re, FULLMATCH),
        Found("h11: request_line_re", h11._readers.request_line_re, FULLMATCH),
        Found("h11: status_line_re", h11._readers.status_line_re, FULLMATCH),
        Found("h11: obs_fold_re", h11._readers.obs_fold_re, MATCH),
        Found("h11: _content_length_re", h11._headers._content_length_re, FULLMATCH),
        Found("h11: _field_name_re", h11._headers._field_name_re, FULLMATCH),
        Found("h11: _field_value_re", h11._headers._field_value_re, FULLMATCH),
        *(
            Found(f"websockets: {name}", getattr(websocket_headers, name), MATCH)
            for name in ("_OWS_re", "_token_re", "_quoted_string_re", "_protocol_re")
        ),
        *(Found(f"route: {path}", compile_path(path)[0], MATCH) for path in paths),
    ]


def built() -> list[Found]:
    return [
        Found(f"{place} {number}", re.compile(pattern), SEARCH)
        for place, patterns in BUILT.items()
        for number, pattern in enumerate(patterns())
    ]


def excess(patterns: Iterable[Found]) -> dict[str, str]:
    """Return the patterns that take more than their share of time, each with its worst text."""
    slow = {}
    for one in patterns:
        for use in USED_AS.get(one.place, one.uses):
            if (more := worst(one.pattern, use)) is not None:
                slow[f"{one.place} ({use})"] = f"{more.attack}: {more.seconds:.2f} s for {more.length} characters"
    return slow


@pytest.mark.parametrize("room", ["octavia/api", "octavia/engines", "octavia/text", ""])
def test_every_pattern_of_the_tree_takes_linear_time(room: str) -> None:
    # Given the patterns of a room, or those of all others
    others = ("octavia/api", "octavia/engines", "octavia/text")
    patterns = [
        one for one in found() if one.place.startswith(room or "") and (room or not one.place.startswith(others))
    ]
    # Then no text is too long for any of them
    assert len(patterns) > 5
    assert excess(patterns) == {}


def test_patterns_that_are_put_together_take_linear_time() -> None:
    # Given the calls of re in functions that put their pattern together
    places = {one.place for module in modules() for one in written(module) if isinstance(one, Built)}
    # Then each is known here, with examples of its patterns, and no text is too long for them
    assert places == BUILT.keys()
    assert excess(built()) == {}


def test_patterns_of_libraries_that_read_requests_take_linear_time() -> None:
    # Given an API, which has made h11 read in linear time
    header_lines.read_in_linear_time()
    # Then no text is too long for the patterns that a request meets on its way
    assert excess(libraries()) == {}


def test_no_pattern_is_forgotten() -> None:
    # Given every module
    for module in modules():
        # Then each pattern that it compiles was found among its values
        assert len(list(held(module))) >= top_level_calls(module), path_of(module)
    assert len(found()) > 150
    assert USED_AS.keys() <= {one.place for one in found()}


@pytest.mark.parametrize(
    ("pattern", "use"),
    [
        # Two repeats around something that may be empty: the kind that this is about
        (r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", "fullmatch"),
        (r"name:[ \t]*(\S+(?:[ \t]+\S+)*)?[ \t]*", "fullmatch"),
        # A repeat at the beginning, tried from each of its characters
        (r"\s+$", "search"),
        (r"(\d+)%", "search"),
        (r"(?<=://)[^\s]*@", "search"),
        # A beginning that comes again and again, each time without its end
        (r"<!--.*?-->", "search"),
        (r"\[[^\]]*\]\(", "search"),
        # What takes for ever
        (r"(?:a|a)*b", "match"),
        (r"(?:\w+\s?)*$", "match"),
        (rb"\s*,\s*;", "search"),
    ],
)
def test_a_pattern_that_is_not_linear_is_found(pattern: Any, use: str) -> None:
    assert worst(re.compile(pattern), use) is not None


def test_a_pattern_is_attacked_behind_what_leads_to_its_repeat() -> None:
    # Given a pattern whose repeat comes late
    found = attacks(re.compile(r"key (?:is|=) \[[a-f]*x"))
    # Then it is reached, by runs of what it repeats
    assert Attack("key = [", "a", "") in found


def _one(pattern: re.Pattern[bytes], line: bytes) -> dict[str, bytes] | None:
    match = pattern.fullmatch(line)
    return match and match.groupdict()


@given(
    st.lists(st.sampled_from([b"a", b"-", b":", b" ", b"\t", b"\x00", b"\n", b"\xff", b"\x7f", b"\x01"]), max_size=12)
)
def test_header_lines_are_read_as_h11_reads_them(signs: list[bytes]) -> None:
    # Given h11's own pattern
    own = re.compile(h11._abnf.header_field.encode("ascii"))
    for line in (b"".join(signs), b"a:" + b"".join(signs)):
        # Then ours finds the same name and value in the same lines
        assert _one(header_lines._LINE, line) == _one(own, line)
