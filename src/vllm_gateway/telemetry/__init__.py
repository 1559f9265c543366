"""What happened: one record for each exchange, and those who read it."""
