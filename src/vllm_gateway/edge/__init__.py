"""The doors: bytes of the callers in and out, and the one place that writes errors."""
