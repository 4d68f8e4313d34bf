"""Times and rates of a dub's utterances, from the settings and the recording."""

from collections.abc import Mapping, Sequence
from typing import Any

from octavia.media import timeline
from octavia.media.fitting import Rates, fit, fitted, summary
from octavia.media.timeline import Placement
from octavia.work import Work


def rates_of(work: Work) -> Rates:
    """The rates of speech that the settings allow."""
    settings = work.settings
    return Rates(settings.dub_min_rate, settings.dub_max_rate, settings.dub_hurried_rate)


def placed(work: Work, rows: Sequence[Mapping[str, Any]]) -> list[Placement]:
    """Place ``synthesize``'s rows of all chunks in time; the speech of a text has no times to keep to."""
    items = [(row["start"], row["end"], row["seconds"]) for row in rows]
    if work.job.from_text:
        return timeline.place(items)
    placements = fit(items, total=work.job.duration or 0.0, rates=rates_of(work))
    work.dub = summary(placements)
    return placements


def timing(work: Work, placement: Placement) -> dict[str, Any]:
    """The fields of ``dub.json`` about an utterance's time; rates are multiples of the natural speed."""
    if work.job.from_text:
        return {}
    return {
        "until": round(placement.until, 3),
        "natural_seconds": round(placement.seconds * placement.rate, 3),
        "rate": round(placement.rate, 3),
        "lateness": round(placement.late, 3),
        "unfitted": not fitted(placement),
    }
