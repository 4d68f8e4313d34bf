"""The sound track of a recording that a job works on."""

from collections.abc import Sequence

from octavia.errors import NotFound
from octavia.jobs.tables.states import Stage
from octavia.media.tracks import SoundTrack, choose, listed, numbered
from octavia.work import Work

_NAME = "sound.json"


def choose_sound(work: Work, tracks: Sequence[SoundTrack]) -> tuple[int, list[dict[str, str]]]:
    """Choose the job's sound track, and keep the choice for later stages; returns its number, and warnings.

    Raises ``InputError`` (``no_such_track``).
    """
    wanted = work.job.options.get("audio_track")
    language = None if work.job.source_language == "auto" else work.job.source_language
    track = choose(tracks, language) if wanted is None else numbered(tracks, wanted)
    work.save_json(_NAME, {"track": track.number})
    if wanted is not None or len(tracks) == 1:
        return track.number, []
    others = [other for other in tracks if other is not track]
    message = (
        f"The recording has {len(tracks)} sound tracks, and {track} was taken. "
        f"To take another one, set audio_track: {listed(others)}."
    )
    return track.number, [{"code": "several_sounds", "message": message}]


def chosen_sound(work: Work) -> int | None:
    """Return the number of the track that ``choose_sound`` chose; None for a job that an older release prepared."""
    try:
        return int(work.read_json(Stage.PREPARE, _NAME)["track"])
    except NotFound:
        return None
