"""The asset graph: what it declares, and what it makes of a small tenant with real Spark."""
