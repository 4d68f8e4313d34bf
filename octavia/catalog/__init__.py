"""The models: which exist, where they come from, under what licence, and which are installed here.

May import ``errors``, ``settings``, ``files``, ``backoff`` and the layouts of ``engines.translation``; knows no jobs.
Begin with ``catalog.toml`` and ``Store``; ``select`` chooses the model for a piece of work.
"""

from octavia.catalog.listing import Catalog
from octavia.catalog.model import Model, Task, VoiceInfo
from octavia.catalog.store import Store

__all__ = ["Catalog", "Model", "Store", "Task", "VoiceInfo", "importing", "languages", "select", "sources"]
