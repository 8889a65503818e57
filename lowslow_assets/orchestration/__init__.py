"""All of Dagster: assets, checks, jobs, sensors, resources. No mathematics, no SQL."""
