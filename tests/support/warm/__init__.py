"""Pythons of Octavia's that need not import it: forked, for tests, from one that has.

``install`` has it done for what ``subprocess.Popen`` starts in this process, and in those that are started so. The
process that comes of it is a child of whoever asked, with the arguments, variables, folder, files, group and exit code
of any other; only its imports were made before. What is about starting itself asks for ``cold`` ones.
"""

from tests.support.warm.starting import cold, install

__all__ = ["cold", "install"]
