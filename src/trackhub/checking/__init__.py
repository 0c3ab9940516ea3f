"""Looking without delivering: what a sync would send, and whether a tracker holds what it should."""
