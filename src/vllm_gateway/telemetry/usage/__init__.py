"""Who has used how much: one row for every request, written off the hot path, and sums of them."""
