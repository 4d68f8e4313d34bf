"""``/operator/jobs``: the jobs of all owners, by filter, and one with every attempt of its tasks."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import context_of
from octavia.api.http import checks
from octavia.api.http.bodies import answer
from octavia.api.http.checks import job_id_of
from octavia.api.http.identity import principal
from octavia.api.http.operations import operation
from octavia.api.http.paths import root_of
from octavia.api.operator.schemas import JobDetailsOut, JobsRequest, OperatedJobListOut, OperatedJobOut
from octavia.jobs.access.keys import Scope
from octavia.jobs.operations import details, listing

FILTER_PROBLEMS = ("unknown_filter_word", "invalid_filter")
READ = partial(operation, tag="Operator", scope=Scope.OPERATE)


@READ(
    "List jobs of all owners",
    query=JobsRequest,
    answers={200: OperatedJobListOut},
    problems=("invalid_cursor", *FILTER_PROBLEMS),
)
async def list_operated_jobs(request: Request) -> Response:
    """``GET /operator/jobs``: those that the filter matches, newest first, in pages."""
    query = checks.validate(JobsRequest, dict(request.query_params))
    page = await context_of(request).db(
        listing.list_jobs, principal(request).operates_on, query.filter, cursor=query.cursor, limit=query.limit
    )
    jobs = [OperatedJobOut.of(listed) for listed in page.jobs]
    return answer(OperatedJobListOut(jobs=jobs, next_cursor=page.next_cursor, total=page.total, capped=page.capped))


@READ("Show a job of any owner", answers={200: JobDetailsOut}, problems=("invalid_job_id", "job_not_found"))
async def show_operated_job(request: Request) -> Response:
    """``GET /operator/jobs/{job_id}``: with its tasks, and who tried each, when, and how it ended."""
    found = await context_of(request).db(details.get, job_id_of(request), principal(request).operates_on)
    return answer(JobDetailsOut.of_details(found, root_of(request)))
