"""Sources that answer, fail, lie and stall: what is said of an address afterwards."""
