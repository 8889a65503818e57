"""The tables of the lake, and the lake they lie in."""
