"""What is said, as text and times."""
