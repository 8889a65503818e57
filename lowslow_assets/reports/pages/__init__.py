"""Pages for people: one a campaign and one a hunt day, each a file that needs nothing else."""
