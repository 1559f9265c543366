"""The admin API: for who runs the gateway, on a listener of its own."""
