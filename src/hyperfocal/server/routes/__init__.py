"""What the service answers to, a file for each group of addresses."""
