"""What operators do with the page: find out why jobs failed and retry them, pause a queue, requeue a dead letter."""

import re
from pathlib import Path
from uuid import UUID

import pika
import psutil
import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect
from sqlmodel import col

from octavia.brokers.dead_letters import labelled
from octavia.brokers.queues import Names
from octavia.jobs.tables.rows import Job, OutboxMessage
from octavia.jobs.tables.states import Queue
from tests.e2e.operator_page.conftest import Site, dialog, opened
from tests.e2e.service import clip
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(600)  # minutes, where the machine is slow and has more to do than this

DUB = {"type": "dub", "source_language": "en", "target_language": "es"}
HOSTILE = "<img src=x onerror=alert(1)>.wav"


@pytest.fixture(scope="module", autouse=True)
def workers(site: Site) -> None:
    """One for each queue, with real models."""
    site.running.start("worker", "worker")


def job(site: Site, job_id: str) -> Job:
    with site.database.reading() as session:
        return session.scalars(sa.select(Job).where(col(Job.id) == UUID(job_id))).one()


def until_ended(site: Site, *ids: str) -> None:
    until(lambda: all(job(site, job_id).status.ended for job_id in ids), 120)


def test_the_failed_jobs_of_one_owner_are_found_understood_and_retried(site: Site, page: Page) -> None:
    # Given jobs of two owners that failed, one with a file name that is markup
    anns = [site.submit("ann", name, b"no sound", **DUB) for name in (HOSTILE, "talk.wav", "third.wav")]
    bens = site.submit("ben", "other.wav", b"no sound", **DUB)
    until_ended(site, *anns, bens)
    # When the operator types a filter, with the completion that is offered
    opened(page, site, "jobs")
    field = page.get_by_role("combobox", name="Filter")
    field.click()
    field.press_sequentially("own")
    expect(page.get_by_role("option", name="owner:")).to_be_visible()
    field.press("ArrowDown")
    field.press("Enter")
    expect(page.get_by_role("option", name="owner:ann")).to_be_visible()
    field.press_sequentially("an")
    expect(page.get_by_role("option")).to_have_count(1)
    field.press("ArrowDown")
    field.press("Enter")
    field.press_sequentially("status:failed")
    field.press("Escape")
    field.press("Enter")
    # Then just those jobs are listed, the filter stands in the address, and the name is text
    rows = page.get_by_role("table", name="Jobs").locator("tbody tr")
    expect(rows).to_have_count(3)
    assert page.url.endswith("#/jobs?filter=owner%3Aann+status%3Afailed")
    expect(page.get_by_role("link", name=HOSTILE)).to_be_visible()
    assert page.locator("main img").count() == 0
    # When one of them is opened, Then it says why it failed and what to do, and who tried
    page.get_by_role("link", name=HOSTILE).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    error = page.get_by_role("note")
    expect(error).to_contain_text("not_media")
    assert job(site, anns[0]).error_message in error.inner_text()
    expect(page.get_by_role("table", name="Attempts").locator("tbody tr")).to_have_count(1)
    # When the operator goes back, and retries all that match
    page.go_back()
    expect(rows).to_have_count(3)
    page.get_by_role("button", name="Retry").click()
    expect(dialog(page)).to_contain_text("Retry 3 jobs?")
    dialog(page).get_by_role("button", name="Retry 3 jobs").click()
    # Then they run again, and no others do
    expect(page.get_by_role("dialog")).to_have_count(0)
    until(lambda: all(job(site, job_id).run == 2 for job_id in anns))
    assert job(site, bens).run == 1
    # And the action is written down
    opened(page, site, "actions")
    row = page.get_by_role("table", name="Actions").locator("tbody tr").first
    expect(row).to_contain_text("retry")
    expect(row).to_contain_text("owner:ann status:failed")
    until_ended(site, *anns)


def test_a_dialog_says_when_the_number_has_changed(site: Site, page: Page) -> None:
    # Given a dialog that asks whether to delete the only job of an owner
    first = site.submit("carl", "one.wav", b"no sound", **DUB)
    until_ended(site, first)
    opened(page, site, "jobs?filter=owner:carl")
    page.get_by_role("button", name="Delete").click()
    expect(dialog(page)).to_contain_text("Delete 1 job?")
    # When there is another one by the time that it is confirmed
    second = site.submit("carl", "two.wav", b"no sound", **DUB)
    until_ended(site, second)
    dialog(page).get_by_role("button", name="Delete 1 job").click()
    # Then nothing was done, and the dialog asks again with the new number
    expect(dialog(page)).to_contain_text("The number has changed: it was 1, and now is 2.")
    assert job(site, first).deleted_at is None
    dialog(page).get_by_role("button", name="Delete 2 jobs").click()
    expect(page.get_by_text("No job matches.")).to_be_visible()
    assert job(site, first).deleted_at is not None
    assert job(site, second).deleted_at is not None


def test_a_paused_queue_stands_and_goes_on_when_it_is_resumed(site: Site, page: Page, tmp_path: Path) -> None:
    # Given a job in the middle of its work
    job_id = site.submit("ann", "speech.flac", clip(tmp_path).read_bytes(), **DUB)
    until(lambda: job(site, job_id).status == "processing", 60)
    # When the operator pauses the synthesis, with a reason
    opened(page, site, "overview")
    page.get_by_role("button", name="Pause synthesize").click()
    dialog(page).get_by_label("Reason").fill("new voices")
    dialog(page).get_by_role("button", name="Pause", exact=True).click()
    # Then the page says so, and the job stands before it
    row = page.get_by_role("table", name="Queues").locator("tbody tr").filter(has_text="synthesize")
    expect(row).to_contain_text("paused")
    expect(row).to_contain_text("new voices")
    waiting = row.locator("td[data-label=Waiting]")
    expect(waiting).to_have_text(re.compile("[1-9]"), timeout=60_000)
    page.wait_for_timeout(2_000)
    expect(row.locator("td[data-label=Running]")).to_have_text("0")
    assert job(site, job_id).status == "processing"
    # When it is resumed, Then the job is completed
    page.get_by_role("button", name="Resume synthesize").click()
    expect(row).not_to_contain_text("paused")
    until_ended(site, job_id)
    assert job(site, job_id).status == "completed"
    # And its timeline shows each stage, with how long it waited
    opened(page, site, f"jobs/{job_id}")
    bars = page.locator(".timeline .bar")
    stages = ("prepare", "transcribe", "translate", "synthesize", "assemble")
    for stage in stages:
        expect(page.locator(f".timeline .bar[data-stage={stage}]").first).to_be_attached()
    bars.first.focus()
    for _ in range(bars.count() - 1):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".readout")).to_contain_text(
        re.compile("assemble, whole job, attempt 1: waited .+, took .+, completed, by ")
    )


def test_a_dead_letter_is_read_and_requeued(site: Site, page: Page, tmp_path: Path) -> None:
    # Given a message that a worker once could not use
    with site.database.reading() as session:
        message = session.scalars(sa.select(OutboxMessage).where(col(OutboxMessage.queue) == Queue.DEFAULT)).first()
    assert message is not None
    names = Names(site.running.environment["OCTAVIA_QUEUE_PREFIX"], "classic")
    properties = labelled(
        pika.BasicProperties(delivery_mode=2), queue=names.main(Queue.DEFAULT), reason="<b>unknown</b>"
    )
    with pika.BlockingConnection(pika.URLParameters(site.running.environment["OCTAVIA_BROKER_URL"])) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("", names.dead(Queue.DEFAULT), message.message, properties, mandatory=True)
    # When the operator looks at it, Then the page shows why it is there, and what it says
    opened(page, site, "dead-letters")
    row = page.get_by_role("table", name="Dead letters").locator("tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("<b>unknown</b>")
    row.get_by_role("button", name="Show").click()
    expect(dialog(page)).to_contain_text("job_id")
    page.keyboard.press("Escape")
    # When it is requeued, Then it is gone: its task is done, so the worker drops it
    page.get_by_role("button", name="Requeue").click()
    dialog(page).get_by_role("button", name="Requeue 1 message").click()
    expect(page.get_by_text("There are none.")).to_be_visible()


def test_a_killed_worker_is_seen_within_five_seconds(site: Site, page: Page) -> None:
    # Given the page with all workers
    opened(page, site, "workers")
    living = page.locator("table.cards tbody tr").filter(has_not_text="gone")
    expect(living).to_have_count(len(Queue))
    pid = living.filter(has_text="translate").locator("td[data-label=Process]").inner_text()
    # When one of them is killed
    psutil.Process(int(pid)).kill()
    # Then the page says so within five seconds, and shows its successor once that has started
    killed = page.locator("table.cards tbody tr").filter(has=page.get_by_text(pid, exact=True))
    expect(killed).to_contain_text("gone", timeout=5_000)
    expect(living).to_have_count(len(Queue))
