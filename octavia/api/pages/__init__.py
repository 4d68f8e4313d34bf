"""Pages for people in browsers: a shell that the server writes, and modules that it serves as they are."""
