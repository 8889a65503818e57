"""Speed: what a hunt costs here, in the notebook, and at the machine's limit."""
