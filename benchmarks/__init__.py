"""Measurements: ratios within one run, medians over several. Nothing here is a test."""
