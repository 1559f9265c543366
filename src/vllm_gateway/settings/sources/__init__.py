"""Where settings come from: a file, the environment, a `.env` file, and the names of earlier services."""
