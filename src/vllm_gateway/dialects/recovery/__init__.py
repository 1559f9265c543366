"""What is known of a streamed answer, so that it goes on from another replica when its own one fails."""
