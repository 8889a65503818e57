"""Sources that answer, fail, lie and stall, and what is then said of an address."""
