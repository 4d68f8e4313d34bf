"""A process of its own in which strangers' media is probed and decoded, with little that it could do beside that."""
