"""Dashboards for Grafana and alerts for Prometheus, written beside the metrics that they ask for."""
