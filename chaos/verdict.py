"""Checks that every job gave the files of the calm run, each once and byte by byte."""

from collections.abc import Iterable, Iterator, Mapping

from chaos.clients import Ordered, Results


def unfinished(ordered: Iterable[Ordered]) -> Iterator[str]:
    """Yield jobs that are not completed, or canceled where that was ordered."""
    for one in ordered:
        if not one.ended_well:
            yield f"job {one.number} ({one.order.name}, {one.job_id}): {one.status or 'not ended'}"


def doubled(ordered: Iterable[Ordered]) -> Iterator[str]:
    """Yield jobs that answered two orders."""
    seen: dict[object, Ordered] = {}
    for one in ordered:
        if one.job_id is not None and one.job_id in seen:
            yield f"job {one.job_id} answers for orders {seen[one.job_id].number} and {one.number}"
        seen[one.job_id] = one


def differences(one: Ordered, found: Results, calm: Mapping[str, Results]) -> Iterator[str]:
    """Yield differences between a job's files and those of its order in the calm run."""
    expected = calm[one.order.name]
    where = f"job {one.number} ({one.order.name}, {one.job_id})"
    yield from (f"{where} lacks {name}" for name in sorted(expected.keys() - found.keys()))
    yield from (f"{where} has {name} besides" for name in sorted(found.keys() - expected.keys()))
    for name in sorted(expected.keys() & found.keys()):
        if len(found[name]) != 1:
            yield f"{where} has {name} {len(found[name])} times"
        if found[name][0] != expected[name][0]:
            yield f"{where}: {name} differs"
