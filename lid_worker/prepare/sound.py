"""The one form of sound inside the platform."""

from typing import Final

SAMPLE_RATE_HZ: Final = 16000
"""What the speech models want; 16-bit signed samples, one channel."""
SAMPLE_BYTES: Final = 2


def seconds(samples: int) -> float:
    """Samples to seconds, as plans state them."""
    return round(samples / SAMPLE_RATE_HZ, 4)


def samples(seconds_: float) -> int:
    """Seconds to whole samples."""
    return round(seconds_ * SAMPLE_RATE_HZ)
