"""Short texts, which need no task to cut them and none to join them: the tasks of their one chunk do both."""

from collections.abc import Callable

from octavia.actors.assemble import assemble
from octavia.actors.engines import LoadedModels, pin_rest
from octavia.jobs.lifecycle import request_rules
from octavia.work import Work

ChunkStage = Callable[[Work, LoadedModels], None]


def whole(stage: ChunkStage, work: Work, models: LoadedModels) -> None:
    """Run a stage of a chunk; of a text of one piece, choose the models before the first and write the results last.

    Raises as ``prepare``, as the stage, and as ``assemble``.
    """
    if not work.job.in_one_piece:
        stage(work, models)
        return
    if not work.job.models:
        request_rules.check_text_language(work.job.source_language)
        work.pin(pin_rest(models, work, work.job.source_language))
    stage(work, models)
    if work.claim.ref.stage is work.job.stages[-1]:
        assemble(work)
