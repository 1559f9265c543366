"""What is asked: prompts out of files, or made up."""
