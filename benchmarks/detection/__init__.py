"""Sprays planted in made-up tenants: what the hunt finds of them, and what published rules do."""
