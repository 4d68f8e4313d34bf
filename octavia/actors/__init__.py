"""The stages of a job, one module each: load what earlier stages left, call an engine, store the result.

They may use engines, media, subtitles, storage and ``work.py``, and know no HTTP; only this file knows a broker. Begin
reading with ``prepare``.
"""

from collections.abc import Mapping
from functools import partial

from octavia.actors.engines import LoadedModels
from octavia.brokers.queues import TaskBroker
from octavia.jobs.tables.states import Stage
from octavia.middleware.process import Process
from octavia.middleware.stages import StageFunction, declare_stages
from octavia.settings import Settings
from octavia.work import Work

__all__ = ["LoadedModels", "declare", "stage_functions"]


def declare(broker: TaskBroker, process: Process, settings: Settings) -> None:
    """Declare every stage's actor; they share the models that this process loads."""
    declare_stages(broker, process, stage_functions(LoadedModels(settings)))


def stage_functions(models: LoadedModels) -> Mapping[Stage, StageFunction]:
    """The function that does each stage's tasks; its module is imported with the first of them.

    A process serves one queue, or works on one text: it waits for no library of another stage.
    """
    return {
        Stage.PREPARE: partial(_prepare, models=models),
        Stage.DETECT: partial(_detect, models=models),
        Stage.TRANSCRIBE: partial(_transcribe, models=models),
        Stage.TRANSLATE: partial(_translate, models=models),
        Stage.SYNTHESIZE: partial(_synthesize, models=models),
        Stage.ASSEMBLE: _assemble,
    }


def _prepare(work: Work, models: LoadedModels) -> None:
    from octavia.actors.prepare import prepare

    prepare(work, models)


def _detect(work: Work, models: LoadedModels) -> None:
    from octavia.actors.detect import detect

    detect(work, models)


def _transcribe(work: Work, models: LoadedModels) -> None:
    from octavia.actors.transcribe import transcribe

    transcribe(work, models)


def _translate(work: Work, models: LoadedModels) -> None:
    from octavia.actors.one_piece import whole
    from octavia.actors.translate import translate

    whole(translate, work, models)


def _synthesize(work: Work, models: LoadedModels) -> None:
    from octavia.actors.one_piece import whole
    from octavia.actors.synthesize import synthesize

    whole(synthesize, work, models)


def _assemble(work: Work) -> None:
    from octavia.actors.assemble import assemble

    assemble(work)
