"""``make chaos``: break a private deployment every few seconds under real jobs, and check that nothing is lost.

Begin reading with ``run``.
"""
