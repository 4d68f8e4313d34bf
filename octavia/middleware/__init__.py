"""What surrounds every task: status persistence, retries, time limits."""
