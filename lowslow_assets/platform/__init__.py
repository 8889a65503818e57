"""Azure, Spark and Java: what the project runs on."""
