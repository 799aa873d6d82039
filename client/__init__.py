"""The Python client: `SpeechFlow` talks to a server, `errors` says what can go wrong."""

from client import errors
from client.retries import RetryPolicy
from client.speech_flow import SpeechFlow

__all__ = ["RetryPolicy", "SpeechFlow", "errors"]
