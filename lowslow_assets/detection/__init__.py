"""Baseline, masks, mixture, pruning and statistics. Spark or NumPy, no Dagster."""
