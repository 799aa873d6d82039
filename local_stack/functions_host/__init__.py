"""The Azure Functions host of one laptop: loads the app as the Python worker does and serves its bindings."""
