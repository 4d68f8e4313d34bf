"""Which models there are, where they come from and under what licence."""

from octavia.catalog.listing import Catalog
from octavia.catalog.model import Model, Task, VoiceInfo
from octavia.catalog.store import Store

__all__ = ["Catalog", "Model", "Store", "Task", "VoiceInfo"]
