"""One hunt as of the end of a day, from what the lake holds: nothing of Dagster."""
