"""``octavia up`` and ``down``."""
