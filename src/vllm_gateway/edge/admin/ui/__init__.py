"""The page at `/ui`: what the admin routes tell and do, for people with a browser."""
