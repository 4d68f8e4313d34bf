"""Limits on how long a client may take."""
