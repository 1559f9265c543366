"""Who may come in, how much, and what may be asked."""
