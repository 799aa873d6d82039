"""What is sent to be misunderstood: documents and files that were valid once, and bytes that never were."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats()
    | st.text(max_size=40)
    | st.sampled_from(
        [
            "",
            "\0",
            "../../etc/passwd",
            "en",
            "transcribe_only",
            "2026-11-20T12:00:00Z",
            "9" * 400,
            "\ud800",
            "💥",
        ]
    )
)
VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
"""Any JSON, and what Python's json makes of NaN."""


@st.composite
def documents(draw: st.DrawFn, valid: dict[str, Any]) -> bytes:
    """A document with one to four of its places changed; now and then cut off, or anything else."""
    kind = draw(st.integers(min_value=0, max_value=9))
    if kind == 0:
        return draw(st.binary(max_size=200))
    if kind == 1:
        return json.dumps(draw(VALUES)).encode()
    document = copy.deepcopy(valid)
    for _ in range(draw(st.integers(min_value=1, max_value=4))):
        _change(draw, document)
    text = json.dumps(document).encode()
    return text[: draw(st.integers(min_value=0, max_value=len(text)))] if kind == 2 else text


def _change(draw: st.DrawFn, document: dict[str, Any]) -> None:
    place: Any = document
    while True:
        key = _key(draw, place)
        if key is None:
            return
        deeper = place[key]
        if not isinstance(deeper, dict | list) or not deeper or draw(st.booleans()):
            break
        place = deeper
    match draw(st.sampled_from(["replace", "remove", "add"])):
        case "replace":
            place[key] = draw(VALUES)
        case "remove":
            del place[key]
        case _ if isinstance(place, dict):
            place[draw(st.text(max_size=20))] = draw(VALUES)
        case _:
            place.append(draw(VALUES))


def _key(draw: st.DrawFn, place: dict[str, Any] | list[Any]) -> Any:
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    return draw(st.sampled_from(keys)) if keys else None


@st.composite
def files(draw: st.DrawFn, whole: Sequence[bytes]) -> bytes:
    """A media file whose headers, mostly, say something else than they should; or a part of one."""
    data = bytearray(draw(st.sampled_from(whole)))
    for _ in range(draw(st.integers(min_value=0, max_value=6))):
        reach = draw(st.sampled_from([16, 64, 512, len(data)]))
        place = draw(st.integers(min_value=0, max_value=max(0, min(reach, len(data)) - 1)))
        piece = draw(
            st.binary(min_size=1, max_size=8) | st.sampled_from([b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff"])
        )
        match draw(st.sampled_from(["write", "insert", "remove"])):
            case "write":
                data[place : place + len(piece)] = piece
            case "insert":
                data[place:place] = piece
            case _:
                del data[place : place + len(piece)]
    if draw(st.integers(min_value=0, max_value=3)) == 0:
        del data[draw(st.integers(min_value=0, max_value=len(data))) :]
    return bytes(data)


QUERIES = st.dictionaries(
    st.sampled_from(
        ["status", "workflow", "language", "created_from", "created_before", "cursor", "limit", "x"]
    ),
    st.text(max_size=30)
    | st.sampled_from(["1", "queued", "-1", "101", "9999-12-31T23:59:59+14:00", "eyJ9", "%"]),
    max_size=5,
)
"""Of GET /jobs."""

PATHS = st.lists(
    st.text(max_size=20).filter(lambda part: part not in (".", ".."))
    | st.sampled_from(["jobs", "results", "0" * 32]),
    max_size=4,
)
METHODS = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
