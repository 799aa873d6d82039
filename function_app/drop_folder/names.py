"""What a name in the drop folder says of a file."""

from typing import Final

from contracts import blobs, drop_folder

_UNFINISHED_STARTS: Final = (".", "~$")
_UNFINISHED_ENDS: Final = (".tmp", ".part", ".partial", ".crdownload", ".filepart", ".swp")


def in_folder(blob_name: str) -> str:
    """A blob's path in the container, of the name that a trigger gives."""
    return blob_name.removeprefix(f"{blobs.Container.DROP_FOLDER}/")


def file_name(path: str) -> str:
    """Without the folders."""
    return path.rsplit("/", 1)[-1]


def is_manifest(path: str) -> bool:
    """True for NAME.job.json."""
    return path.endswith(drop_folder.MANIFEST_SUFFIX)


def is_passed_over(path: str) -> bool:
    """True for what tools write on their way to the file that is meant, and for what cannot be kept."""
    name = file_name(path).lower()
    unfinished = name.startswith(_UNFINISHED_STARTS) or name.endswith(_UNFINISHED_ENDS)
    return not name or unfinished or "\x00" in path


def manifest_of(path: str) -> str:
    """Where a file's manifest lies."""
    return f"{path}{drop_folder.MANIFEST_SUFFIX}"


def described_by(manifest_path: str) -> str:
    """The file that a manifest is about."""
    return manifest_path.removesuffix(drop_folder.MANIFEST_SUFFIX)
