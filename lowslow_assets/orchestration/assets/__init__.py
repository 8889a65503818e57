"""One module per stage. Assets name inputs, tables and metadata; other rooms do the work."""
