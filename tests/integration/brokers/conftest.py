"""The deployment of the worker tests, for messages that die in it."""

from tests.integration.worker.conftest import service

__all__ = ["service"]
