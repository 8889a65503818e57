"""Tests of what the benchmarks compute; small enough to check by hand."""
