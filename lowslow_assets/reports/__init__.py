"""Campaigns as people read them: words, rules, plots, pages. No Dagster."""
