"""What clients say and want to hear: reading bodies, watching streams, writing faults; no sockets."""
