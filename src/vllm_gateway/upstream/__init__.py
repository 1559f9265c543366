"""The replicas: their connections, their health, and the relay of what they answer."""
