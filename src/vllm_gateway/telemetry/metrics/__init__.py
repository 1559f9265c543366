"""Numbers about the gateway and its replicas, for Prometheus."""
