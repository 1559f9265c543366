"""The ways to the stores that several gateways share: Redis, PostgreSQL, and a file of SQLite."""
