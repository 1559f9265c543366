"""What is logged: one line for each request, and what else happens; as JSON, or for people at a terminal."""
