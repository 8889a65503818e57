"""Tests of what the benchmarks compute, on cases that are small enough to check manually."""
