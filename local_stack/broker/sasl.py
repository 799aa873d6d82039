"""SASL (part 5, section 5.3): every client is let in, as its token comes later, to $cbs."""

from __future__ import annotations

from typing import Final

from local_stack.broker import errors, frames, performatives, values

_MECHANISMS: Final = ("MSSBCBS", "ANONYMOUS", "PLAIN", "EXTERNAL")
_ARRAY_OF_SYMBOLS: Final = 0xA3

OFFER: Final = frames.SASL_HEADER + frames.encode(
    0,
    performatives.SaslMechanisms(
        values.Array(_ARRAY_OF_SYMBOLS, tuple(values.Symbol(name) for name in _MECHANISMS))
    ),
    kind=frames.SASL_FRAME,
)


def answer(frame: frames.Frame) -> tuple[bytes, bool]:
    """The outcome to send, and whether it is a welcome; raise IllegalFrameError for what is no sasl-init."""
    init, _end = performatives.decode(frame.body)
    if frame.kind != frames.SASL_FRAME or not isinstance(init, performatives.SaslInit):
        raise errors.IllegalFrameError("Only sasl-init has a place here.")
    is_known = init.mechanism in _MECHANISMS
    outcome = performatives.SaslOutcome(code=0 if is_known else 1)
    return frames.encode(0, outcome, kind=frames.SASL_FRAME), is_known
