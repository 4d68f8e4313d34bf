"""Regular expressions of the tree, texts that drive each to its worst, and how their time grows."""
