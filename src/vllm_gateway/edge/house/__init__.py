"""The routes that the gateway answers itself: a FastAPI application, one file for each subject."""
