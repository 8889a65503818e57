"""The engines that move rows by the million: DuckDB in the process, or Spark.

Both take the same SQL (`sql`), and define the same few functions where SQL differs (`functions`).
Nothing in here knows what a sign-in is.
"""
