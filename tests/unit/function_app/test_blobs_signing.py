"""Signed URLs in Azure: a key of the app's identity, fetched rarely, https only."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import parse_qs

from azure.storage.blob import BlobSasPermissions, BlobServiceClient, UserDelegationKey

from function_app import blobs_signing


class Account:
    """What the signer asks of BlobServiceClient."""

    account_name = "speech"

    def __init__(self) -> None:
        self.asked: list[tuple[datetime, datetime]] = []

    def get_user_delegation_key(self, start: datetime, expiry: datetime) -> UserDelegationKey:
        self.asked.append((start, expiry))
        key = UserDelegationKey()  # type: ignore[no-untyped-call] # the SDK's
        key.signed_oid = key.signed_tid = "00000000-0000-0000-0000-000000000000"
        key.signed_start, key.signed_expiry = start.isoformat(), expiry.isoformat()
        key.signed_service, key.signed_version = "b", "2022-11-02"
        key.value = base64.b64encode(b"k" * 32).decode()
        return key


def grant(**overrides: Any) -> blobs_signing.Grant:
    values: dict[str, Any] = {
        "container": "audio-files",
        "path": "default/j/source",
        "permission": BlobSasPermissions(create=True, write=True),
        "expires_at": datetime.now(UTC) + timedelta(minutes=60),
    }
    return blobs_signing.Grant(**(values | overrides))


def test_url_allows_https_alone_and_begins_before_a_slow_clock() -> None:
    account = Account()
    signer = blobs_signing.UserDelegationSigner(cast("BlobServiceClient", account))
    query = parse_qs(signer.sign(grant()))
    assert query["spr"] == ["https"]
    assert query["sp"] == ["cw"]
    assert query["sr"] == ["b"]
    start = datetime.fromisoformat(query["st"][0])
    assert timedelta(minutes=4) < datetime.now(UTC) - start < timedelta(minutes=6)


def test_key_is_fetched_once_a_day_and_renewed_before_it_ends() -> None:
    account = Account()
    signer = blobs_signing.UserDelegationSigner(cast("BlobServiceClient", account))
    for _ in range(3):
        signer.sign(grant())
    assert len(account.asked) == 1
    [(_, expiry)] = account.asked
    assert expiry - datetime.now(UTC) > timedelta(hours=23)
    signer._key_ends_at = datetime.now(UTC) + timedelta(hours=2)
    signer.sign(grant())
    assert len(account.asked) == 2


def test_url_is_never_signed_with_a_key_that_ends_before_it() -> None:
    """The longest links that the settings allow are good for a day."""
    account = Account()
    signer = blobs_signing.UserDelegationSigner(cast("BlobServiceClient", account))
    signer.sign(grant())
    expires_at = datetime.now(UTC) + timedelta(hours=24)
    signer._key_ends_at = expires_at - timedelta(minutes=1)
    query = parse_qs(signer.sign(grant(expires_at=expires_at)))
    assert len(account.asked) == 2
    assert datetime.fromisoformat(query["ske"][0]) >= expires_at


def test_signed_file_name_survives_any_character() -> None:
    signer = blobs_signing.AccountKeySigner(
        account_name="a", account_key=base64.b64encode(b"k" * 32).decode()
    )
    query = parse_qs(signer.sign(grant(file_name='Ü "x"\r\n.txt')))
    assert query["rscd"] == ["attachment; filename*=UTF-8''%C3%9C%20%22x%22%0D%0A.txt"]
