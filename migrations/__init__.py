"""Alembic migrations of the tables in ``octavia.jobs.models``; run by ``octavia.jobs.schema``."""
