"""Engines: speech recognition, translation and voices, on arrays and text.

``types`` has their interfaces. ``load`` alone knows the three kinds, which never import each other; ``cache`` keeps
loaded engines. They know ``text`` and ``errors``, but no jobs, queues or HTTP. Begin with ``types``.
"""

__all__ = ["cache", "load", "translation", "types", "voices"]
