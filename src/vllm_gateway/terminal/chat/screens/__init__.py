"""What lies on top of the chat for a moment: lists, editors, questions, help."""
