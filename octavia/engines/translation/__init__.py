"""Text into text of another language."""
