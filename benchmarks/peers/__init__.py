"""Other ways to run the same jobs, to measure beside Octavia; each has requirements of its own."""
