"""Words on a screen: a conversation's entries, and how they become lines of so many columns."""
