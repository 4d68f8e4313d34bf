"""``make chaos``: a private deployment under real jobs, broken every few seconds, and nothing may get lost."""
