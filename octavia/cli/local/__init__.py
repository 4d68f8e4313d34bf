"""``octavia dub | transcribe | translate | synthesize``, and ``serve`` without a broker: everything on this machine.

``commands`` makes an ``Order``, and ``execute`` carries it out in a locked ``Workspace``. Begin with ``commands``.
"""

__all__ = ["commands", "serve"]
