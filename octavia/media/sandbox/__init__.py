"""Read clients' files, media and subtitles, in a child process that has given up nearly all of its rights.

May import the rest of ``media``, and ``text``. Begin with ``parent``, which the actors call; ``child`` is the other
end, ``wire`` the protocol between both, and ``confinement`` takes the child's rights away, by ``seccomp``,
``landlock``, ``namespaces`` and ``capabilities``.
"""

__all__ = ["layers", "parent", "process"]
