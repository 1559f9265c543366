"""What the measurements come to; pure."""
