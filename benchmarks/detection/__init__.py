"""Sprays planted in generated tenants: what the hunt and published rules find of them."""
