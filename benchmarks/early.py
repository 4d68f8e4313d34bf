"""Measure the seconds from the submission of a long recording to its first segment, warm, on two slots.

Beside it, in the same run, the same recording as a job of the format of older releases, whose chunks wait until all of
it was read.
"""

import argparse
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col
from uuid_utils.compat import uuid7

from octavia.engines.types import SPEECH_RATE
from octavia.errors import Conflict
from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol import cancel
from octavia.jobs.tables.database import transaction
from octavia.jobs.tables.records import JobRecord, NewJob, stored_input
from octavia.jobs.tables.rows import Event, Job
from octavia.jobs.tables.states import EARLY_FORMAT, PLAIN_FORMAT, JobType
from octavia.local import OWNER, LocalService
from octavia.media.decode import decode
from octavia.media.encode import Encoder
from octavia.settings import Settings

SAMPLE = Path(__file__).parents[1] / "samples" / "sense_and_sensibility.flac"


def main() -> None:
    """Submit, wait for the first segment, cancel; the first job of all warms the workers up and does not count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="of speech")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        media = Path(folder) / "speech.flac"
        write_again_and_again(media, arguments.minutes * 60)
        settings = Settings(data_dir=Path(folder) / "data", log_level="warning")
        with LocalService(settings, slots=2) as service:
            first_segment(service, SAMPLE, EARLY_FORMAT)
            for _ in range(arguments.runs):
                for name, format in (("whole recording first", PLAIN_FORMAT), ("chunk by chunk", EARLY_FORMAT)):
                    print(f"{name:<22} {first_segment(service, media, format):6.2f} s", flush=True)


def write_again_and_again(target: Path, seconds: float) -> None:
    """Join copies of the sample until they last ``seconds``."""
    done = 0
    with Encoder(target, "flac", SPEECH_RATE) as encoder:
        while done < seconds * SPEECH_RATE:
            for block in decode(SAMPLE):
                encoder.write(block)
                done += len(block)


def first_segment(service: LocalService, media: Path, format: int) -> float:
    """Return the seconds from the start of a job of a message format to its first segment."""
    job_id = uuid7()
    with media.open("rb") as file:
        stored = service.storage.put(f"jobs/{job_id}/input/media", file)
    given = stored_input("media", stored, filename=media.name, media_type="audio/flac")
    new = NewJob(JobType.TRANSCRIBE, "en", input=given, owner=OWNER)
    submit.create(service.database, new, job_id=job_id, start=False)
    _set_format(service.database, job_id, format)
    heard: list[float] = []

    def look(_job: JobRecord, _stages: object) -> None:
        if not heard and _is_heard(service, job_id):
            heard.append(time.monotonic())
            with suppress(Conflict):  # a short one may have ended
                cancel.cancel(service.database, job_id, OWNER)

    began = time.monotonic()
    submit.start(service.database, job_id, OWNER)
    service.wait(job_id, look)
    return heard[0] - began


@transaction
def _set_format(session: Session, job_id: UUID, format: int) -> None:
    session.execute(sa.update(Job).where(col(Job.id) == job_id).values(message_format=format))


def _is_heard(service: LocalService, job_id: UUID) -> bool:
    heard = sa.select(col(Event.seq)).where(col(Event.job_id) == job_id, col(Event.type) == "segment").limit(1)
    with service.database.reading() as session:
        return session.scalars(heard).first() is not None


if __name__ == "__main__":
    main()
