"""What clients may do, and what they are told."""
