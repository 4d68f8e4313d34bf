"""The supervisor of worker processes, the worker child, and the relay."""
