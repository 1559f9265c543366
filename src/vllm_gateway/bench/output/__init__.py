"""Telling what was found: to a terminal, to other programs, and as a report."""
