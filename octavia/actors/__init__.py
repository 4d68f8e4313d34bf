"""One actor a file: thin functions that load, call an engine and store."""
