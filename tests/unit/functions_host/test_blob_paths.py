"""Blob trigger paths match as the WebJobs SDK matches them."""

from __future__ import annotations

import pytest

from local_stack.functions_host import blob_paths


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        # one parameter takes the whole name, slashes included
        ("drop-folder/{name}", "a/b.wav", {"name": "a/b.wav"}),
        # the layout of uploads
        ("audio-files/{tenant}/{job}/source", "t1/j1/source", {"tenant": "t1", "job": "j1"}),
        # the earlier parameter takes as much as it can
        ("audio-files/{tenant}/{job}/source", "t1/x/j1/source", {"tenant": "t1/x", "job": "j1"}),
        # other names in the same container
        ("audio-files/{tenant}/{job}/source", "t1/j1/source.tmp", None),
        ("audio-files/{tenant}/{job}/source", "t1/source", None),
        # literals are literal
        ("c/{name}.wav", "aXwav", None),
        ("c/{name}.wav", "a.wav", {"name": "a.wav".removesuffix(".wav")}),
        # no parameter at all
        ("c/only.txt", "only.txt", {}),
        # a name may hold any character
        ("c/{name}", "a\nb", {"name": "a\nb"}),
    ],
)
def test_name_matches_pattern(path: str, name: str, expected: dict[str, str] | None) -> None:
    assert blob_paths.parse(path).match(name) == expected


@pytest.mark.parametrize(
    ("path", "container", "prefix"),
    [
        ("audio-files/in/{tenant}/x", "audio-files", "in/"),
        ("drop/{name}", "drop", ""),
        ("drop/a.txt", "drop", "a.txt"),
    ],
)
def test_prefix_is_what_stands_before_the_first_parameter(path: str, container: str, prefix: str) -> None:
    parsed = blob_paths.parse(path)
    assert (parsed.container, parsed.prefix) == (container, prefix)


@pytest.mark.parametrize("path", ["container", "/", "c/{}", "c/{a", "c/a}", "c/{a}/{a}", "{c}/x", "c/{a-b}"])
def test_path_that_is_no_pattern_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"(is not CONTAINER/NAME|braces|twice)"):
        blob_paths.parse(path)
