"""Asking, and measuring every answer."""
