"""The stages of a job, one module each: load what earlier stages left, call an engine, store the result.

They may use engines, media, subtitles, storage and ``work.py``; they know no HTTP and no queue. Begin with ``prepare``.
"""

from collections.abc import Mapping
from functools import partial

from octavia.actors.assemble import assemble
from octavia.actors.detect import detect
from octavia.actors.engines import LoadedModels
from octavia.actors.prepare import prepare
from octavia.actors.synthesize import synthesize
from octavia.actors.transcribe import transcribe
from octavia.actors.translate import translate
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
        Stage.PREPARE: partial(prepare, models=models),
        Stage.DETECT: partial(detect, models=models),
        Stage.TRANSCRIBE: partial(transcribe, models=models),
        Stage.TRANSLATE: partial(translate, models=models),
        Stage.SYNTHESIZE: partial(synthesize, models=models),
        Stage.ASSEMBLE: assemble,
    }
