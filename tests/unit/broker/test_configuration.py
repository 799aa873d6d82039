"""The file of queues: what is read from it and what is refused, in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local_stack.broker import configuration, errors


def document(*queues: Any, **more: Any) -> dict[str, Any]:
    return {"UserConfig": {"Namespaces": [{"Name": "n", "Queues": list(queues), **more}]}}


def queue(**properties: Any) -> dict[str, Any]:
    return {"Name": "work", "Properties": properties}


def test_product_queues_are_read_as_written() -> None:
    path = Path(configuration.__file__).parents[1] / "Config.json"
    found = {each.name: each for each in configuration.read(path)}
    assert set(found) == {"lid-jobs", "whisper-jobs", "job-events"}
    assert found["lid-jobs"] == configuration.Queue(
        name="lid-jobs",
        lock_ms=15_000,
        max_delivery_count=10,
        time_to_live_ms=3_600_000,
        dead_letter_on_expiration=True,
        duplicate_detection_ms=600_000,
    )
    assert found["job-events"].duplicate_detection_ms is None


def test_what_is_left_out_is_as_in_azure() -> None:
    [found] = configuration.parse(document({"Name": "work"}))
    assert found == configuration.Queue(name="work", lock_ms=60_000, max_delivery_count=10)


def test_longest_time_span_means_for_ever() -> None:
    [found] = configuration.parse(document(queue(DefaultMessageTimeToLive="P10675199DT2H48M5.4775807S")))
    assert found.time_to_live_ms is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param({}, "UserConfig", id="another file"),
        pytest.param(document(), "name at least one queue", id="no queue"),
        pytest.param(document(queue(), queue()), "twice", id="a name twice"),
        pytest.param(document({"Name": "a b"}), "Queues.0.Name", id="a name that is none"),
        pytest.param(document(queue(LockDuration="soon")), "LockDuration", id="a duration that is none"),
        pytest.param(document(queue(LockDuration="PT6M")), "at most PT5M", id="a lock too long"),
        pytest.param(document(queue(LockDuration="PT0S")), "longer than nothing", id="a lock of nothing"),
        pytest.param(document(queue(MaxDeliveryCount=0)), "MaxDeliveryCount", id="no delivery"),
        pytest.param(document(queue(LockDurations="PT1M")), "LockDurations", id="a key misspelt"),
        pytest.param(document(queue(ForwardTo="other")), "remove ForwardTo", id="forwarding"),
        pytest.param(
            document(queue(ForwardDeadLetteredMessagesTo="other")),
            "remove ForwardDeadLetteredMessagesTo",
            id="forwarding of dead letters",
        ),
        pytest.param(document(queue(RequiresSession=True)), "set RequiresSession to false", id="sessions"),
        pytest.param(document(queue(), Topics=[{"Name": "t"}]), "leave Topics empty", id="topics"),
    ],
)
def test_unusable_file_is_refused_with_what_to_change(content: Any, words: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=words) as refusal:
        configuration.parse(content)
    assert "\n" not in str(refusal.value)


def test_what_is_not_built_but_switched_off_is_accepted() -> None:
    off = queue(ForwardTo="", ForwardDeadLetteredMessagesTo="", RequiresSession=False)
    assert configuration.parse(document(off, Topics=[]))


@pytest.mark.parametrize("content", [None, "{", "\x00"])
def test_unreadable_file_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "Config.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(errors.ConfigurationError, match=str(path)):
        configuration.read(path)
