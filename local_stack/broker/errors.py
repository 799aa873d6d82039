"""Everything that goes wrong in the broker.

BrokerError
  + ConfigurationError         the queue file, a setting or a port cannot be used
  + StateInUseError            another broker holds the state directory
  + StoreError                 SQLite refused the write; nothing of the turn happened
  + AmqpError                  has an AMQP condition that goes to the peer
    + StoppingError            ends every connection, on SIGTERM
    + ConnectionFailedError    ends one connection
      - DecodeError            bytes that are not AMQP values
      - FramingError           bytes that do not form a frame
      - IllegalFrameError      a frame that has no place here
      - ConnectionLimitError   too many connections, or too much begun on one
    + LinkRefusedError         ends one link
      - EntityNotFoundError
      - LinkNotBuiltError      sessions, topics, transactions
      - LinkLimitError
    + DeliveryRefusedError     ends one delivery or one request
      - MalformedMessageError
      - MessageTooLargeError
      - QueueFullError
      - LockLostError
      - MessageNotFoundError
      - InvalidArgumentError
      - NotAllowedError
      - NotBuiltError          deferring, sessions, rules
      - ServerError            the turn was not written

`code` is stable; for AMQP errors it is the condition on the wire.
"""

from __future__ import annotations


class BrokerError(Exception):
    """The broker failed."""

    code = "broker_error"
    retryable = False

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class ConfigurationError(BrokerError):
    """The configuration cannot be used."""

    code = "configuration_invalid"


class StateInUseError(BrokerError):
    """Another broker uses this state directory."""

    code = "state_in_use"


class StoreError(BrokerError):
    """The broker could not write its state."""

    code = "store_failed"
    retryable = True


class AmqpError(BrokerError):
    """The peer asked for something that cannot be done."""

    code = "amqp:internal-error"


class StoppingError(AmqpError):
    """The broker is stopping; connect again when it is back."""

    code = "amqp:connection:forced"
    retryable = True


class ConnectionFailedError(AmqpError):
    """The connection cannot go on."""


class DecodeError(ConnectionFailedError):
    """The bytes are not AMQP values."""

    code = "amqp:decode-error"


class FramingError(ConnectionFailedError):
    """The bytes do not form a frame."""

    code = "amqp:connection:framing-error"


class IllegalFrameError(ConnectionFailedError):
    """The frame has no place here."""

    code = "amqp:not-allowed"


class ConnectionLimitError(ConnectionFailedError):
    """The broker has as many connections as it accepts."""

    code = "amqp:resource-limit-exceeded"
    retryable = True


class LinkRefusedError(AmqpError):
    """The link cannot be attached."""

    code = "amqp:not-allowed"


class EntityNotFoundError(LinkRefusedError):
    """There is no such queue."""

    code = "amqp:not-found"


class LinkNotBuiltError(LinkRefusedError):
    """This kind of link is not built in the local broker."""

    code = "amqp:not-implemented"


class LinkLimitError(LinkRefusedError):
    """The connection has as many links or sessions as the broker accepts."""

    code = "amqp:resource-limit-exceeded"


class DeliveryRefusedError(AmqpError):
    """The message or request is refused."""


class MalformedMessageError(DeliveryRefusedError):
    """The message is not an AMQP message."""

    code = "amqp:decode-error"


class MessageTooLargeError(DeliveryRefusedError):
    """The message is larger than the broker accepts."""

    code = "amqp:link:message-size-exceeded"


class QueueFullError(DeliveryRefusedError):
    """The queue holds as many bytes as it may."""

    code = "amqp:resource-limit-exceeded"


class LockLostError(DeliveryRefusedError):
    """The lock on the message has expired or never was."""

    code = "com.microsoft:message-lock-lost"


class MessageNotFoundError(DeliveryRefusedError):
    """There is no scheduled message with this sequence number."""

    code = "com.microsoft:message-not-found"


class InvalidArgumentError(DeliveryRefusedError):
    """The request lacks an argument or has one that cannot be used."""

    code = "com.microsoft:argument-error"


class NotAllowedError(DeliveryRefusedError):
    """The operation is not allowed on this entity."""

    code = "amqp:not-allowed"


class NotBuiltError(DeliveryRefusedError):
    """The operation is not built in the local broker."""

    code = "amqp:not-implemented"


class ServerError(DeliveryRefusedError):
    """The broker could not write its state; nothing was changed."""

    code = "amqp:internal-error"
    retryable = True
