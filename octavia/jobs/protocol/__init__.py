"""Claiming, completing and failing tasks, each in one transaction."""
