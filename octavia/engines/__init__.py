"""Engines: speech recognition, translation and voices, on arrays and text.

``types`` has their interfaces. ``load`` alone knows the three kinds, which never import each other; ``cache`` keeps
loaded engines. They know ``text`` and ``errors``, but no jobs, queues or HTTP. Begin with ``types``.
"""

import os

__all__ = ["cache", "load", "translation", "types", "voices"]

# Otherwise onnxruntime writes into the home folder when it is imported, and tells its makers the names of models.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
