"""Pages for people: one per campaign and one per hunt, each a file that needs nothing else."""
