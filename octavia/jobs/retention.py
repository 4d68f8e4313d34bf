"""What is thrown away, and when. All of it may run twice, be broken off, and run beside itself."""
