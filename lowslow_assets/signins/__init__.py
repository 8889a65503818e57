"""From the export's files to typed sign-ins and their features. Spark, no Dagster."""
