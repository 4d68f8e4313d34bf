"""The settings for the commands, read when a command runs: ``--help`` waits for no validation of settings."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from octavia.settings import Settings


def get_settings() -> "Settings":
    """Return the settings of this process, as ``octavia.settings.get_settings`` does."""
    from octavia.settings import get_settings

    return get_settings()
