"""Where incidents are sent, if anywhere: nothing of Dagster in here."""
