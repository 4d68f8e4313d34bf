"""The grammar of HTTP."""
