"""One module a stage. Assets name inputs, tables and metadata; the work is elsewhere."""
