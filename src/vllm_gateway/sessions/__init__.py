"""Conversations that the gateway keeps: their state, their turns one after the other, and where they are stored."""
