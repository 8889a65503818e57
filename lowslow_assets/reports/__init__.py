"""What a spray candidate says to people. No Dagster."""
