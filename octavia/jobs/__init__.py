"""Jobs, tasks and their protocol: the only room that knows tables."""
