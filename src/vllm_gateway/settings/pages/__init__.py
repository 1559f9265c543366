"""What people read about the settings: the effective ones, a starter file, the schema, the reference."""
