"""Workers whose engines take no time: they take requests, write results and send events, as real ones do.

python -m benchmarks.instant_workers: connection strings from the environment, until it is ended.
"""

from __future__ import annotations

import threading
from typing import Any, Final, cast

from azure.servicebus import ServiceBusClient, ServiceBusMessage
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from contracts import messages, queues
from tests.fakes import step_workers
from worker_kit import azure_blobs
from worker_kit.settings import StorageSettings

RECEIVERS: Final = {queues.Queue.LID_JOBS: 1, queues.Queue.WHISPER_JOBS: 2}


class Settings(BaseSettings):
    """Where the stack is."""

    azure_storage_connection_string: SecretStr
    service_bus_connection_string: SecretStr


def main(settings: Settings) -> None:
    threads = [
        threading.Thread(target=_work, args=(settings, queue))
        for queue, count in RECEIVERS.items()
        for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _work(settings: Settings, queue: queues.Queue) -> None:
    """In the workers' order: the result is written, then the event goes out, then the message is done."""
    secret = settings.azure_storage_connection_string
    store: Any = azure_blobs.open_store(StorageSettings(azure_storage_connection_string=secret))
    workers = step_workers.StepWorkers(store=cast("Any", store))
    text = settings.service_bus_connection_string.get_secret_value()
    with (
        ServiceBusClient.from_connection_string(text) as client,
        client.get_queue_sender(queues.Queue.JOB_EVENTS) as sender,
        client.get_queue_receiver(queue) as receiver,
    ):
        while True:
            for message in receiver.receive_messages(1, max_wait_time=5):
                request = messages.StepRequest.model_validate_json(b"".join(message.body))
                sender.send_messages(ServiceBusMessage(workers.answer(request).model_dump_json()))
                receiver.complete_message(message)


if __name__ == "__main__":
    main(Settings())
