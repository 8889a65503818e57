"""One module a stage. An asset names its inputs, its table and its metadata; the work is elsewhere."""
