"""Speed: the cost of a hunt here, in the notebook, and at the machine's limit."""
