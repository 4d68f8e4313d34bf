"""How a job begins, runs again, is edited and goes."""
