"""Filters over both databases: each finds what it says, and the negated one the rest."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from octavia.errors import InputError
from octavia.jobs.lifecycle import submit
from octavia.jobs.operations import details, filters, listing
from octavia.jobs.operations.words import WORDS
from octavia.jobs.protocol import claims
from octavia.jobs.tables.database import Database, clock
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.states import JobType, Priority
from tests.integration.jobs.steps import HOPELESS, Steps

NAMES = ("Talk with Ann.wav", "100%_sure.wav", 'a "quoted" name.wav', "<b>bold</b>.mp3", "école.wav", "")
METAS: tuple[dict[str, Any], ...] = (
    {"customer": 42},
    {"customer": "42", "two words": "a b"},
    {"flag": True, "rate": 1.5, "none": None},
    {"customer": {"id": 42}, "list": [42]},
    {"Customer": "x", "ключ": "значение"},
    {"a.b[0] $": 42, "a'b": 1, "": "empty", 'say "x"': False},
)


@pytest.fixture
def jobs(steps: Steps) -> list[UUID]:
    """Six jobs that differ in everything: failed, running, given back, canceled, and two that wait."""
    made = []
    for number, (name, meta) in enumerate(zip(NAMES, METAS, strict=True)):
        new = NewJob(
            JobType.DUB if number % 2 else JobType.TRANSCRIBE,
            "en" if number % 2 else "de",
            "es" if number % 2 else None,
            priority=list(Priority)[number % 3],
            owner=("ann", "bob", "Ann")[number % 3],
            input={"kind": "media", "key": "k", **({"filename": name} if name else {})},
            meta=meta,
        )
        made.append(submit.create(steps.db, new).id)
    refs = {ref.job_id: ref for ref in steps.deliver()}
    steps.fail(steps.claim(refs[made[0]], "host1:1:0"), HOPELESS)
    steps.claim(refs[made[1]], "host1:2:0")
    given_back = steps.claim(refs[made[2]], "host10:1:0")
    claims.give_back(steps.db, given_back.task_id, given_back.attempt)
    steps.change_job(made[3], created_at=clock(steps.db) - timedelta(days=3))
    return made


def found(db: Database, filter: str, owner: str | None = None) -> list[UUID]:
    return [listed.job.id for listed in listing.list_jobs(db, owner, filter).jobs]


FOUND_BY: dict[str, list[int]] = {
    "": [0, 1, 2, 3, 4, 5],
    "owner:ann": [0, 3],
    "owner:ann,bob": [0, 1, 3, 4],
    "owner:ann type:dub": [3],
    "status:failed": [0],
    "-status:queued": [0, 1, 2],
    "code:no_audio": [0],
    "-code:no_audio": [1, 2, 3, 4, 5],
    "stage:prepare status:processing": [1, 2],
    "queue:default": [1, 2, 3, 4, 5],
    "queue:translate": [],
    "worker:host1": [0, 1],
    "worker:host1:2:0": [1],
    "worker:host10": [2],
    "worker:host": [],
    "-worker:host1,host10": [3, 4, 5],
    "priority:low": [0, 3],
    "language:ES": [1, 3, 5],
    "name:talk": [0],
    "TALK": [0],
    "100%_": [1],
    "%": [1],
    r'"a \"quoted\""': [2],
    '"<b>"': [3],
    "-name:wav": [3, 5],
    "meta.customer:42": [0, 1],
    "-meta.customer:42": [2, 3, 4, 5],
    'meta."two words":"a b"': [1],
    "meta.flag:true": [2],
    "meta.flag:1": [],
    "meta.rate:1.5": [2],
    "meta.none:null": [],
    "meta.list:42": [],
    'meta."a.b[0] $":42': [5],
    "meta.a'b:1": [5],
    r'meta."say \"x\"":false': [5],
    "meta.ключ:значение": [4],
    "meta.Customer:x": [4],
    "age:>2d": [3],
    "age:<2d": [0, 1, 2, 4, 5],
    "ended:<1h": [0],
    "ended:>1h": [],
    "-ended:<1h": [1, 2, 3, 4, 5],
}


def test_a_filter_finds_what_it_says(steps: Steps, jobs: list[UUID]) -> None:
    for filter, wanted in FOUND_BY.items():
        assert sorted(found(steps.db, filter)) == sorted(jobs[number] for number in wanted), filter


def test_ids_are_found_by_their_beginning(steps: Steps, jobs: list[UUID]) -> None:
    for job_id in jobs:
        assert found(steps.db, f"id:{job_id}") == [job_id]
        assert found(steps.db, str(job_id)) == [job_id]
        assert job_id in found(steps.db, f"id:{str(job_id)[:4]}")
        assert job_id not in found(steps.db, f"-id:{job_id.hex[:30]}")


def test_one_owner_sees_nothing_of_others(steps: Steps, jobs: list[UUID]) -> None:
    assert sorted(found(steps.db, "", "ann")) == sorted([jobs[0], jobs[3]])
    assert found(steps.db, "owner:bob", "ann") == []
    assert listing.list_jobs(steps.db, "ann", "-owner:ann").total == 0
    with pytest.raises(InputError):
        details.get(steps.db, jobs[1], "ann")


VALUES = {
    "owner": ("ann", "bob", "zoe", "%", "'"),
    "code": ("no_audio", "x", "\\"),
    "worker": ("host1", "host", "host1:1:0", "%", "~"),
    "language": ("en", "es", "EN", "?"),
    "name": ("wav", "%", "_", "é", "\\", '"'),
    "id": ("0", "01", "f" * 32),
    "age": (">1h", "<5d", "<0s", ">5000w"),
    "ended": (">0s", "<5d"),
    "meta.customer": ("42", "", "x"),
    'meta."a.b[0] $"': ("42",),
    "meta.list": ("42", "[42]"),
}


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def term(word: str, values: Sequence[str]) -> str:
    return f"{word}:{','.join(map(quoted, values))}"


WORD = st.sampled_from([*WORDS, *(word for word in VALUES if word not in WORDS)])
TERM = WORD.flatmap(
    lambda word: st.lists(st.sampled_from(VALUES.get(word) or WORDS[word].values), min_size=1, max_size=3).map(
        lambda values: term(word, values)
    )
)
FOUND = st.sampled_from(["wav", '"a b"', "0192f000", "deadbeef", "é", '"%"', r'"\\"'])


def test_a_filter_and_its_opposite_share_all_jobs_among_them(steps: Steps, jobs: list[UUID]) -> None:
    # Given any term
    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(st.one_of(TERM, FOUND), st.one_of(TERM, FOUND))
    def check(one: str, other: str) -> None:
        # When it is asked for, and its opposite
        having, lacking = found(steps.db, one), found(steps.db, f"-{one}")
        # Then each job is in one of the two
        assert sorted([*having, *lacking]) == sorted(jobs)
        # And two terms find what both find
        assert set(found(steps.db, f"{one} {other}")) == set(having) & set(found(steps.db, other))
        assert listing.list_jobs(steps.db, None, one, limit=1).total == len(having)

    check()


def test_any_text_is_answered_or_refused(steps: Steps, jobs: list[UUID]) -> None:
    signs = st.sampled_from(
        [*WORDS, "meta.", "meta.a", ":", ",", "-", '"', "\\", " ", "é", "\0", "%", "'", ">1h", "ann"]
    )

    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(st.one_of(st.text(max_size=30), st.lists(signs, max_size=8).map("".join)))
    def check(text: str) -> None:
        try:
            filters.parse(text)
        except InputError:
            return
        assert set(found(steps.db, text)) <= set(jobs)

    check()


def test_counting_stops_at_a_bound(steps: Steps, jobs: list[UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    # Given more jobs than are counted
    monkeypatch.setattr(listing, "MOST_COUNTED", 4)
    # When they are listed, Then the answer says that there are more, and every page can be read
    first = listing.list_jobs(steps.db, None, "", limit=3)
    assert (first.total, first.capped, len(first.jobs)) == (4, True, 3)
    second = listing.list_jobs(steps.db, None, "", first.next_cursor, limit=3)
    assert (second.total, second.capped, len(second.jobs), second.next_cursor) == (4, True, 3, None)
    assert {listed.job.id for page in (first, second) for listed in page.jobs} == set(jobs)
