"""Whether there is still time, where clocks disagree: locks and lives go by the broker's clock."""

from datetime import UTC, datetime

from contracts import messages
from worker_kit.lock import HeldLock
from worker_kit.queues import ReceivedMessage


def seconds_left(request: messages.StepRequest, message: ReceivedMessage, held: HeldLock) -> float:
    """How long somebody still waits for the answer; negative when nobody does.

    The later of two moments counts: `expires_at` is by the function app's clock, the message's life by the
    broker's. And while the lock is held it is not later than `locked_until`, whatever this clock says.
    """
    deadline = max(request.expires_at, message.expires_at or request.expires_at)
    return (deadline - min(datetime.now(UTC), held.locked_until)).total_seconds()
