"""Where incidents are sent; nothing of Dagster is imported here."""
