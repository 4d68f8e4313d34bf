"""Probe, decode, split, place and encode: seconds and samples."""
