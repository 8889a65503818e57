"""One hunt as of the end of a day, from the tables of the lake. No Dagster."""
