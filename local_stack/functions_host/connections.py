"""Connection strings of bindings, checked before anything starts."""

from __future__ import annotations

from azure.servicebus import ServiceBusClient
from azure.storage.blob import BlobServiceClient
from pydantic import SecretStr

from local_stack.functions_host import errors, settings

EMULATOR_FLAG = "UseDevelopmentEmulator="


def storage(configured: settings.Settings, connection: str) -> SecretStr:
    """For `azure-storage-blob`. Raises MissingAppSettingError, InvalidAppSettingError."""
    secret = configured.connection_string(connection)
    try:
        BlobServiceClient.from_connection_string(secret.get_secret_value()).close()
    except ValueError as error:
        raise errors.InvalidAppSettingError(f"{connection} is no storage connection string.") from error
    return secret


def service_bus(configured: settings.Settings, connection: str) -> SecretStr:
    """For `azure-servicebus`. Raises MissingAppSettingError, InvalidAppSettingError."""
    secret = configured.connection_string(connection)
    text = secret.get_secret_value()
    # The SDK knows this flag by the exact word only; any other spelling silently means TLS on port 5671.
    if EMULATOR_FLAG in text and f"{EMULATOR_FLAG}true" not in text:
        raise errors.InvalidAppSettingError(f"{connection} must spell {EMULATOR_FLAG}true in lower case.")
    try:
        ServiceBusClient.from_connection_string(text).close()
    except ValueError as error:
        raise errors.InvalidAppSettingError(f"{connection} is no Service Bus connection string.") from error
    return secret
