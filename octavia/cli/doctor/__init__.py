"""``octavia doctor``."""
