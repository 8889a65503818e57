"""Comparisons that are run by hand."""
