"""Live updates: one reader for all watched jobs of this process, and the two ways in which clients hear of them."""
