from octavia.engines.replacements import Replacement, Replacer, replaced


def test_a_replacer_takes_the_first_pattern_that_matches() -> None:
    replacer = Replacer([(r"Dr\.(?= [A-Z])", "Doctor"), (r"\w+\.", "…"), ("a|b", "c")])
    assert replacer("Dr. Ana and dr. b.") == "Doctor Anc cnd … …"


def test_a_replacer_finds_what_it_replaces() -> None:
    assert list(Replacer([("b+", "x"), ("c", "y")]).find("abbc")) == [Replacement(1, 3, "x"), Replacement(3, 4, "y")]


def test_a_replacer_without_a_table_replaces_nothing() -> None:
    assert Replacer([])("text") == "text"


def test_replaced_writes_each_span() -> None:
    assert replaced("one two", [Replacement(0, 3, "1"), Replacement(3, 4, ""), Replacement(7, 7, "!")]) == "1two!"
