"""Traces: which one a request belongs to, and the spans that are made of it when it is over."""
