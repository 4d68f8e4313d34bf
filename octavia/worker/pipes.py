"""The pipes between a process and its keeper, by the environment variables that tell the process of them."""

from typing import Final

REPORT_FD: Final = "OCTAVIA_REPORT_FD"
"""The variable with the file descriptor that a process may write its reports to."""

ORDER_FD: Final = "OCTAVIA_ORDER_FD"
"""The variable with the file descriptor that a process that reports may read its orders from."""
