"""The tables of the lake, and the lake that holds them."""
