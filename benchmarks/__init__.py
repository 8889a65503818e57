"""Comparisons that are run manually."""
