"""Starts the whole local stack, keeps it running, and stops it: `make up`."""
