"""Who may come in: keys, where they are kept, and how many wrong ones may be tried."""
