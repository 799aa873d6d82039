"""Shared access signatures behind one interface: by account key locally, by an identity's key in Azure."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol
from urllib.parse import quote

from azure.storage.blob import BlobSasPermissions, BlobServiceClient, UserDelegationKey, generate_blob_sas

CLOCK_SKEW: Final = timedelta(minutes=5)
_KEY_LIFETIME: Final = timedelta(days=2)
_KEY_RENEWAL: Final = timedelta(hours=3)


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What a URL may do with one blob, and until when."""

    container: str
    path: str
    permission: BlobSasPermissions
    expires_at: datetime
    file_name: str | None = None
    """Under which a browser saves what it reads."""


class Signer(Protocol):
    """Any thread may use it."""

    def sign(self, grant: Grant) -> str:
        """The query string of the URL; a secret as long as it is good."""


class AccountKeySigner:
    """For Azurite and accounts with a shared key: http is allowed, because Azurite has nothing else."""

    def __init__(self, *, account_name: str, account_key: str) -> None:
        self._account_name = account_name
        self._account_key = account_key

    def sign(self, grant: Grant) -> str:
        return generate_blob_sas(
            self._account_name,
            grant.container,
            grant.path,
            account_key=self._account_key,
            **_terms(grant),
        )


class UserDelegationSigner:
    """For Azure: the account has no shared key. Needs the role Storage Blob Delegator on the account."""

    def __init__(self, service: BlobServiceClient) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._key: UserDelegationKey | None = None
        self._key_ends_at = datetime.min.replace(tzinfo=UTC)

    def sign(self, grant: Grant) -> str:
        return generate_blob_sas(
            str(self._service.account_name),
            grant.container,
            grant.path,
            user_delegation_key=self._key_until(grant.expires_at),
            start=datetime.now(UTC) - CLOCK_SKEW,
            protocol="https",
            **_terms(grant),
        )

    def _key_until(self, moment: datetime) -> UserDelegationKey:
        """Fetched about once a day, and renewed before it ends: no signature outlives its key."""
        now = datetime.now(UTC)
        with self._lock:
            if self._key is None or self._key_ends_at < max(moment, now + _KEY_RENEWAL):
                ends_at = now + _KEY_LIFETIME
                self._key = self._service.get_user_delegation_key(now - CLOCK_SKEW, ends_at)
                self._key_ends_at = ends_at
            return self._key


def _terms(grant: Grant) -> dict[str, Any]:
    terms: dict[str, Any] = {"permission": grant.permission, "expiry": grant.expires_at}
    if grant.file_name is not None:
        # RFC 6266: the encoded form takes any name.
        terms["content_disposition"] = f"attachment; filename*=UTF-8''{quote(grant.file_name, safe='')}"
    return terms
