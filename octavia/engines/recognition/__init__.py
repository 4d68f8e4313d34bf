"""Speech into segments and words."""
