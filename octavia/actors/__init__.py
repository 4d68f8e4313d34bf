"""The stages of a job, one module each: load what earlier stages left, call an engine, store the result.

They may use engines, media, subtitles, storage and ``work.py``, and know no HTTP; only this file knows a broker. Begin
reading with ``prepare``.
"""

from collections.abc import Mapping
from functools import partial

from octavia.actors import assemble, detect, one_piece, prepare, synthesize, transcribe, translate
from octavia.actors.engines import LoadedModels
from octavia.brokers.queues import TaskBroker
from octavia.jobs.tables.states import Stage
from octavia.middleware.process import Process
from octavia.middleware.stages import StageFunction, declare_stages
from octavia.settings import Settings

__all__ = ["LoadedModels", "declare", "stage_functions"]


def declare(broker: TaskBroker, process: Process, settings: Settings) -> None:
    """Declare every stage's actor; they share the models that this process loads."""
    declare_stages(broker, process, stage_functions(LoadedModels(settings)))


def stage_functions(models: LoadedModels) -> Mapping[Stage, StageFunction]:
    """The function that does each stage's tasks."""
    return {
        Stage.PREPARE: partial(prepare.prepare, models=models),
        Stage.DETECT: partial(detect.detect, models=models),
        Stage.TRANSCRIBE: partial(transcribe.transcribe, models=models),
        Stage.TRANSLATE: partial(one_piece.whole, translate.translate, models=models),
        Stage.SYNTHESIZE: partial(one_piece.whole, synthesize.synthesize, models=models),
        Stage.ASSEMBLE: assemble.assemble,
    }
