"""Answers that are kept and given again: what may be kept, under which key, where, and who waits for which answer."""
