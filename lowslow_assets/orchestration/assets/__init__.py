"""One module per stage. Assets name inputs, tables and metadata; the work is elsewhere."""
