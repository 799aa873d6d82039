"""Bytes that no client should send: that connection ends, the others do not notice."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import httpx
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceiveMode
from azure.servicebus.exceptions import ServiceBusError

from local_stack.broker import decoder, frames, performatives, states, values
from tests.integration import broker_process
from tests.integration.broker.conftest import LOSES_CONNECTIONS, WriteConfig

pytestmark = LOSES_CONNECTIONS

_SASL = frames.SASL_HEADER + frames.encode(
    0, performatives.SaslInit(mechanism="ANONYMOUS"), kind=frames.SASL_FRAME
)
_OPEN = frames.encode(0, performatives.Open(container_id="hostile", max_frame_size=65_536))
_BEGIN = frames.encode(
    1,
    performatives.Begin(remote_channel=None, next_outgoing_id=0, incoming_window=100, outgoing_window=100),
)
_HANDSHAKE = _SASL + frames.AMQP_HEADER + _OPEN + _BEGIN


def attach(*, address: str, is_receiver: bool, handle: int = 0) -> bytes:
    node = values.Described(values.ULong(states.SOURCE if is_receiver else states.TARGET), [address])
    other = values.Described(values.ULong(states.TARGET if is_receiver else states.SOURCE), ["client"])
    return frames.encode(
        1,
        performatives.Attach(
            name=f"link {handle}",
            handle=handle,
            role=is_receiver,
            source=node if is_receiver else other,
            target=other if is_receiver else node,
            initial_delivery_count=None if is_receiver else 0,
        ),
    )


def transfer(payload: bytes, *, delivery_id: int = 0, more: bool = False) -> bytes:
    return frames.encode(
        1,
        performatives.Transfer(
            handle=0, delivery_id=delivery_id, delivery_tag=b"t", message_format=0, more=more
        ),
        payload,
    )


def read_all(connection: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(65_536):
            received += chunk
    return received


def last_error(received: bytes) -> str | None:
    """The condition of the close frame with which the broker ended the connection."""
    buffer = frames.FrameBuffer(max_frame_bytes=1 << 20)
    buffer.feed(received)
    condition = None
    while len(received) >= frames.HEADER_BYTES:
        if received.startswith(b"AMQP"):
            buffer.take_header()
            received = received[frames.HEADER_BYTES :]
            continue
        frame = buffer.take_frame()
        if frame is None:
            break
        received = received[struct.unpack(">I", received[:4])[0] :]
        if frame.body:
            performative, _end = performatives.decode(frame.body)
            if isinstance(performative, performatives.Close) and performative.error is not None:
                condition = str(performative.error.value[0])
    return condition


@pytest.fixture
def raw(broker: broker_process.BrokerProcess) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", broker.port), timeout=10) as connection:
        yield connection


# One row: what goes wrong, the bytes after the handshake, the condition of the answer.
_VIOLATIONS = {
    "frame larger than agreed": (b"\x7f\xff\xff\xff\x02\x00\x00\x00", "amqp:connection:framing-error"),
    "frame smaller than its head": (b"\x00\x00\x00\x04\x02\x00\x00\x00", "amqp:connection:framing-error"),
    "data offset outside": (b"\x00\x00\x00\x08\x09\x00\x00\x00", "amqp:connection:framing-error"),
    "unknown frame type": (b"\x00\x00\x00\x08\x02\x07\x00\x00", "amqp:connection:framing-error"),
    "body is no AMQP": (b"\x00\x00\x00\x0c\x02\x00\x00\x01\xff\xff\xff\xff", "amqp:decode-error"),
    "body is no performative": (b"\x00\x00\x00\x0c\x02\x00\x00\x01\x00\x53\x99\x45", "amqp:decode-error"),
    "list longer than the frame": (
        b"\x00\x00\x00\x0e\x02\x00\x00\x01\x00\x53\x12\xc0\xff\x01",
        "amqp:decode-error",
    ),
    "mandatory field missing": (b"\x00\x00\x00\x0c\x02\x00\x00\x01\x00\x53\x12\x45", "amqp:decode-error"),
    "second open": (_OPEN, "amqp:not-allowed"),
    "channel begun twice": (_BEGIN, "amqp:not-allowed"),
    "transfer without a link": (transfer(b""), "amqp:not-allowed"),
    "sasl after open": (_SASL[8:], "amqp:not-allowed"),
    "handle attached twice": (2 * attach(address="hostile", is_receiver=True), "amqp:not-allowed"),
    "more begun than one may hold": (
        b"".join(attach(address="hostile", is_receiver=False, handle=number) for number in range(20))
        + b"".join(
            frames.encode(
                1,
                performatives.Transfer(handle=number, delivery_id=number, delivery_tag=b"t", more=True),
                b"x" * 60_000,
            )
            for number in range(20)
            for _ in range(4)
        ),
        "amqp:resource-limit-exceeded",
    ),
}


@pytest.mark.parametrize("name", _VIOLATIONS)
def test_violation_is_answered_with_its_condition_and_the_end(raw: socket.socket, name: str) -> None:
    data, condition = _VIOLATIONS[name]
    raw.sendall(_HANDSHAKE + data)
    assert last_error(read_all(raw)) == condition


def test_frames_before_open_are_refused(raw: socket.socket) -> None:
    raw.sendall(_SASL + frames.AMQP_HEADER + _BEGIN)
    assert last_error(read_all(raw)) == "amqp:not-allowed"


def test_other_protocol_is_answered_with_ours(raw: socket.socket) -> None:
    raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert read_all(raw) == frames.AMQP_HEADER


def test_message_that_no_consumer_could_read_is_refused_and_the_link_lives(raw: socket.socket) -> None:
    raw.sendall(_HANDSHAKE + attach(address="hostile", is_receiver=False))
    raw.sendall(transfer(b"\x00\x53\x75\xa0\xff") + transfer(b"\x00\x53\x75\xa0\x01x", delivery_id=1))
    dispositions: list[performatives.Disposition] = []
    buffer = frames.FrameBuffer(max_frame_bytes=1 << 20)
    headers = 2
    while len(dispositions) < 2:
        buffer.feed(raw.recv(65_536))
        while True:
            if headers == 2 or (headers == 1 and dispositions == [] and _at_header(buffer)):
                if buffer.take_header() is None:
                    break
                headers -= 1
                continue
            frame = buffer.take_frame()
            if frame is None:
                break
            performative, _end = performatives.decode(frame.body)
            if isinstance(performative, performatives.Disposition):
                dispositions.append(performative)
    outcomes = [each.state.descriptor for each in dispositions if each.state is not None]
    assert outcomes == [states.REJECTED, states.ACCEPTED]


def _at_header(buffer: frames.FrameBuffer) -> bool:
    return bytes(buffer._buffer[buffer._start : buffer._start + 4]) == b"AMQP"


def test_random_bytes_hurt_nobody_else(broker: broker_process.BrokerProcess) -> None:
    randomness = random.Random(20261120)
    enough = Event()

    def attack(seed: int) -> int:
        own = random.Random(seed)
        attacks = 0
        while not enough.is_set() and attacks < 100:
            attacks += 1
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", broker.port), timeout=5) as connection,
            ):
                connection.sendall(_malice(own))
        return attacks

    with (
        ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0) as client,
        client.get_queue_sender("competing") as sender,
        client.get_queue_receiver(
            "competing", receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE
        ) as receiver,
        ThreadPoolExecutor(2) as pool,
    ):
        attackers = [pool.submit(attack, randomness.randrange(1 << 30)) for _ in range(2)]
        try:
            for number in range(60):
                sender.send_messages(ServiceBusMessage(str(number)))
                [message] = receiver.receive_messages(1, max_wait_time=5)
                assert str(message) == str(number)
        finally:
            enough.set()
        assert sum(each.result(timeout=10) for each in attackers) > 20
    assert httpx.get(broker.counts_url).status_code == 200


def _malice(own: random.Random) -> bytes:
    """Noise, or a good conversation with some bytes changed, cut or repeated."""
    if own.random() < 0.3:
        return own.randbytes(own.randrange(1, 500))
    talk = bytearray(
        _HANDSHAKE
        + attach(address="hostile", is_receiver=True)
        + frames.encode(1, performatives.Flow(0, 100, 0, 100, handle=0, delivery_count=0, link_credit=10))
    )
    for _ in range(own.randrange(1, 6)):
        talk[own.randrange(len(talk))] = own.randrange(256)
    start = own.randrange(len(talk))
    return bytes(talk[: own.randrange(1, len(talk) + 1)] + talk[start:])


def test_clients_beyond_the_connection_limit_are_told_so(tmp_path: Path, configure: WriteConfig) -> None:
    limits = {"SPEECHFLOW_BROKER_MAX_CONNECTIONS": "1"}
    with (
        broker_process.running_broker(configure({"work": {}}), tmp_path / "state", limits) as broker,
        ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0) as client,
        client.get_queue_sender("work") as sender,
    ):
        second = client.get_queue_sender("work")
        with pytest.raises(ServiceBusError, match="1 connections at a time"):
            second.send_messages(ServiceBusMessage("x"))
        second.close()
        sender.send_messages(ServiceBusMessage("y"))


def test_nesting_bomb_is_refused() -> None:
    with pytest.raises(Exception, match="nested"):
        decoder.decode(b"\xc0\xff\x01" * 100 + bytes(300))
