"""Which models there are, where they come from and under what licence."""
