"""What others know about the addresses of a campaign (no Dagster)."""
