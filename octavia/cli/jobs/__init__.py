"""``octavia jobs``."""
