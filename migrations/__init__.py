"""Alembic migrations of the tables in ``octavia.jobs.tables.rows``; run by ``octavia.jobs.tables.schema``."""
