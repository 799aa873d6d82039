"""The recordings made from the samples are what their names say, and the same every time."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path

import av
import pytest

from tests.fixtures.build import make_media


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    make_media.make(folder)
    return folder


def _decoded_seconds(path: Path, track: int = 0) -> float:
    with av.open(path) as container:
        stream = container.streams.audio[track]
        samples = sum(frame.samples for frame in container.decode(stream))
        return samples / float(stream.rate)


@pytest.mark.parametrize(
    "name",
    [
        "english.mp3", "english.m4a", "english.ogg", "english.webm", "english.mkv", "video.mp4",
        "telephone-8k.wav", "stereo-48k-float.wav", "surround-5.1.wav", "two-tracks.mkv",
    ],
)  # fmt: skip
def test_every_container_decodes_to_its_length(media: Path, name: str) -> None:
    facts = json.loads((media / "media.json").read_text(encoding="utf-8"))[name]
    assert _decoded_seconds(media / name) == pytest.approx(facts["seconds"], abs=0.1)
    assert json.loads((media / facts["reference"]).read_text(encoding="utf-8"))["text"].startswith("Show")


def test_the_long_recordings_sentences_stand_apart(media: Path) -> None:
    truth = json.loads((media / "long-english.json").read_text(encoding="utf-8"))
    gaps = [later["start"] - earlier["end"] for earlier, later in itertools.pairwise(truth["sentences"])]
    assert min(gaps) >= 0.6
    assert max(gaps) == pytest.approx(3.0, abs=0.01)
    assert _decoded_seconds(media / "long-english.flac") == 600.0
    assert truth["text"].split() == " ".join(sentence["text"] for sentence in truth["sentences"]).split()
    assert len(truth["words"]) == len(truth["text"].split())


def test_the_video_has_a_picture_and_its_mute_sister_no_sound(media: Path) -> None:
    with av.open(media / "video.mp4") as container:
        assert (len(container.streams.video), len(container.streams.audio)) == (1, 1)
    with av.open(media / "video-without-sound.mp4") as container:
        assert (len(container.streams.video), len(container.streams.audio)) == (1, 0)


def test_two_tracks_differ_in_length(media: Path) -> None:
    assert _decoded_seconds(media / "two-tracks.mkv", 1) < _decoded_seconds(media / "two-tracks.mkv", 0)


@pytest.mark.parametrize("name", ["text.mp3", "empty.wav", "truncated.m4a"])
def test_what_is_no_recording_cannot_be_opened(media: Path, name: str) -> None:
    with pytest.raises(av.FFmpegError):
        _decoded_seconds(media / name)


def test_the_same_arguments_make_the_same_files(media: Path, tmp_path: Path) -> None:
    make_media.make(tmp_path)

    def hashes(folder: Path) -> dict[str, str]:
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}

    assert hashes(tmp_path) == hashes(media)
