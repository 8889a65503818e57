"""The engines that process millions of rows: DuckDB in the process, or Spark.

Both take the same SQL (`sql`), and define the same few functions where SQL differs (`functions`).
Nothing here knows what a sign-in is.
"""
