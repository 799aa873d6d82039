"""What replay tests share."""

import pytest


@pytest.fixture(autouse=True)
def strict_typing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the app's settings have it: plain JSON crosses the borders of Durable, and nothing else."""
    monkeypatch.setenv("AZURE_FUNCTIONS_DURABLE_STRICT_TYPING", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The SDK warns of every event that comes before its wait or twice: here they come so on purpose."""
    for item in items:
        if "tests/replay" in item.path.as_posix():
            item.add_marker(
                pytest.mark.filterwarnings("ignore:Potential duplicate Task completion:UserWarning")
            )
