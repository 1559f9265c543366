"""Which replicas can answer, and which of them shall."""
