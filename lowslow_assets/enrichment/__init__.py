"""What others know of the addresses of a campaign (no Dagster)."""
