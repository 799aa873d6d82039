"""The serverless app: HTTP API, triggers, orchestrators and their activities.

The Functions worker imports this package and wants to find exactly one app object in it.
"""

from function_app.main import app

__all__ = ["app"]
