"""The wire: what the function app, the workers and the client say to each other.

Frozen values only: no I/O, and no import of anything else of ours.
"""
