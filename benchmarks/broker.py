"""The local broker through the Service Bus SDK: one process sends, another receives and completes.

Throughput: messages of 1 KB, sent in lists of 100, received with a prefetch of 100 and completed one by one,
by four receivers in threads of one process, so that one's wait for its confirmation is another's turn. Both
processes run at the same time, and the clock runs from the first send to the last completion. The median
of three rounds counts. A fourth round, not in the throughput, kills the broker (SIGKILL) in the middle and
restarts it: what was acknowledged and never received is `lost`; what was completed, with the broker's
confirmation, and came again is `duplicated`.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusError

from benchmarks import processes, report

MESSAGES = 4_000
ROUNDS = 3
_LIST = 100
_RECEIVERS = 4
_BODY = b"x" * 1024
_QUEUES = {"bench": {"LockDuration": "PT1M", "MaxDeliveryCount": 100}}
_CRASH_QUEUES = {"bench": {"LockDuration": "PT2S", "MaxDeliveryCount": 100}}
_PATIENCE_SECONDS = 240
_IDLE_SECONDS = 4.0


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one round came to."""

    per_second: float
    broker_microseconds: float
    sender_microseconds: float
    receiver_microseconds: float
    lost: int
    duplicated: int


def run() -> dict[str, Any]:
    rounds = [_round(sent_as=_LIST) for _ in range(ROUNDS)]
    single = _round(sent_as=1, messages=MESSAGES // 4)
    lost, duplicated = _crash_round()
    columns = ("round", "messages/s", "broker µs/message", "sender µs", "receiver µs", "lost", "duplicated")
    rows = [_row(f"lists of {_LIST}, {n}", each) for n, each in enumerate(rounds, 1)]
    rows.append(_row("one by one", single))
    rows.append(["broker killed midway", "-", "-", "-", "-", lost, duplicated])
    report.show(f"Broker: {MESSAGES} messages of {len(_BODY)} bytes; µs of processor time", columns, rows)
    return {
        "messages_per_second": round(statistics.median(each.per_second for each in rounds)),
        "lost": lost + sum(each.lost for each in [*rounds, single]),
        "duplicated": duplicated + sum(each.duplicated for each in [*rounds, single]),
    }


def _row(name: str, each: Round) -> list[object]:
    costs = (each.broker_microseconds, each.sender_microseconds, each.receiver_microseconds)
    return [name, each.per_second, *costs, each.lost, each.duplicated]


def _round(*, sent_as: int, messages: int = MESSAGES) -> Round:
    with tempfile.TemporaryDirectory() as folder, processes.broker(Path(folder), _QUEUES) as broker:
        before = processes.cpu_seconds(broker.pid)
        receiver = _client("receive", broker, messages)
        sender = _client("send", broker, messages, sent_as)
        sent, received = _result(sender), _result(receiver)
        broker_seconds = processes.cpu_seconds(broker.pid) - before
    seconds = received["ended"] - sent["began"]
    missing = set(sent["acknowledged"]) - set(received["completed"])
    return Round(
        per_second=messages / seconds,
        broker_microseconds=1e6 * broker_seconds / messages,
        sender_microseconds=1e6 * sent["cpu_seconds"] / messages,
        receiver_microseconds=1e6 * received["cpu_seconds"] / messages,
        lost=len(missing),
        duplicated=_repeats(received["completed"]),
    )


def _crash_round() -> tuple[int, int]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with processes.broker(folder, _CRASH_QUEUES) as broker:
            receiver = _client("receive-on", broker)
            sender = _client("send", broker, MESSAGES // 4, 1)
            time.sleep(2.0)  # somewhere in the middle
        with processes.broker(folder, _CRASH_QUEUES, port=broker.port):
            sent, received = _result(sender), _result(receiver)
    # What the broker died with before it could confirm may be gone or may come again.
    known = {*received["completed"], *received["unsure"]}
    return len(set(sent["acknowledged"]) - known), _repeats(received["completed"])


def _repeats(completed: list[str]) -> int:
    return sum(times - 1 for times in Counter(completed).values())


def _client(role: str, broker: processes.Broker, *numbers: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.broker", role, broker.connection_string]
    return subprocess.Popen(
        [*command, *map(str, numbers)], cwd=report.ROOT, stdout=subprocess.PIPE, text=True
    )


def _result(client: subprocess.Popen[str]) -> Any:
    output, _ = client.communicate(timeout=_PATIENCE_SECONDS)
    return json.loads(output)


# The two client processes.


def send(connection_string: str, count: int, sent_as: int) -> dict[str, Any]:
    """Send, and say what was acknowledged; what was not is sent no second time."""
    acknowledged: list[str] = []
    with ServiceBusClient.from_connection_string(connection_string, retry_total=0) as client:
        sender = client.get_queue_sender("bench")
        with sender:
            began, cpu = time.time(), time.process_time()
            for first in range(0, count, sent_as):
                ids = [str(number) for number in range(first, first + sent_as)]
                try:
                    sender.send_messages([ServiceBusMessage(_BODY, message_id=each) for each in ids])
                except ServiceBusError:
                    time.sleep(0.1)
                else:
                    acknowledged += ids
            used = time.process_time() - cpu
    return {"began": began, "cpu_seconds": used, "acknowledged": acknowledged}


def receive(connection_string: str, count: int) -> dict[str, Any]:
    """Receive and complete that many, in several threads."""
    completed: list[str] = []
    cpu = time.process_time()
    with ThreadPoolExecutor(_RECEIVERS) as pool:
        for each in [pool.submit(_receive, connection_string, count, completed) for _ in range(_RECEIVERS)]:
            each.result()
    return {"ended": _latest[-1], "cpu_seconds": time.process_time() - cpu, "completed": completed}


def _receive(connection_string: str, count: int, completed: list[str]) -> None:
    with (
        ServiceBusClient.from_connection_string(connection_string) as client,
        client.get_queue_receiver("bench", prefetch_count=_LIST) as receiver,
    ):
        while len(completed) < count:
            for message in receiver.receive_messages(_LIST // _RECEIVERS, max_wait_time=1):
                receiver.complete_message(message)
                completed.append(str(message.message_id))
                _latest[:] = [time.time()]


_latest: list[float] = []


def receive_on(connection_string: str) -> dict[str, Any]:
    """Receive through a restart of the broker, until nothing has come for longer than a lock lasts."""
    completed: list[str] = []
    unsure: list[str] = []
    latest = time.monotonic() + _IDLE_SECONDS  # the sender may start later
    with (
        ServiceBusClient.from_connection_string(connection_string, retry_total=0) as client,
        client.get_queue_receiver("bench") as receiver,
    ):
        while time.monotonic() < latest + _IDLE_SECONDS:
            with contextlib.suppress(ServiceBusError):
                for message in receiver.receive_messages(20, max_wait_time=1):
                    latest = time.monotonic()
                    unsure.append(str(message.message_id))
                    receiver.complete_message(message)
                    completed.append(unsure.pop())
    return {"completed": completed, "unsure": unsure}


_ROLES = {"send": send, "receive": receive, "receive-on": receive_on}

if __name__ == "__main__":
    role, text, *rest = sys.argv[1:]
    print(json.dumps(_ROLES[role](text, *map(int, rest))))  # type: ignore[operator]  # each has its own numbers
