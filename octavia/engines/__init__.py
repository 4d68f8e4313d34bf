"""Models that hear, translate and speak; they know arrays and text."""
