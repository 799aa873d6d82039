"""Decodes any recording, as a stream of 16 kHz mono sound in bounded memory."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import av
import av.error
import numpy as np
import numpy.typing as npt

from lid_worker import errors
from lid_worker.prepare import signatures
from lid_worker.prepare.sound import SAMPLE_RATE_HZ, samples

BLOCK_SAMPLES: Final = 10 * SAMPLE_RATE_HZ
"""What one block of decoded sound holds: ten seconds, so that voice detection works in batches."""

FORMATS: Final = (
    "3gp,aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,eac3,flac,flv,gsm,m4a,matroska,mov,mp3,mp4,mpc,"
    "mpc8,mpeg,mpegts,mxf,ogg,rm,tta,w64,wav,webm,wv"
)
"""Demuxers that read the file alone: playlists, which name other files and URLs, are not among them."""

SAMPLE_RATES_HZ: Final = range(1_000, 1_000_001)
"""Of recordings. A kilobyte that claims one sample a second would become gigabytes of sound."""

GAP_SECONDS: Final = 0.1
"""A hole in the timestamps that is longer becomes silence, so that times fit the video."""
LEAST_DECODED_SHARE: Final = 0.25
"""Of its stated length: with less than this a file is damaged, with more it is worth a warning."""


@dataclass(kw_only=True)
class DecodingTally:
    """What happened; complete when the stream has ended."""

    good_packets: int = 0
    broken_packets: int = 0
    ended_early: bool = False
    emitted_samples: int = 0
    missing_samples: int = 0
    """Holes after the first sound, filled with silence."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """An opened file and the track that is wanted."""

    container: Any
    stream: Any
    present_share: float = 1.0
    """Of the bytes that the file's header announces; FFmpeg counts a WAV's length from what is there."""
    tally: DecodingTally = field(default_factory=DecodingTally)

    @property
    def stated_seconds(self) -> float | None:
        """The length that the file states; not always true."""
        if self.stream.duration is not None:
            return float(self.stream.duration * self.stream.time_base) / self.present_share
        if self.container.duration is not None:
            return float(self.container.duration / av.time_base) / self.present_share
        return None

    @property
    def has_video(self) -> bool:
        """Moving pictures; a cover image is none."""
        attached = av.stream.Disposition.attached_pic
        return any(not (stream.disposition & attached) for stream in self.container.streams.video)


@contextlib.contextmanager
def opened(path: Path, *, audio_track: int) -> Iterator[Recording]:
    """Raises NotAudioError, CorruptAudioError, NoAudioTrackError."""
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    try:
        container = av.open(str(path), options=options, metadata_errors="ignore")
    except (av.error.FFmpegError, ValueError) as error:
        if signatures.looks_like_media(path):
            raise errors.CorruptAudioError("its beginning cannot be read") from error
        raise errors.NotAudioError from error
    with container:
        tracks = container.streams.audio
        if not tracks and not container.streams.video:
            raise errors.NotAudioError
        if audio_track >= len(tracks):
            raise errors.NoAudioTrackError(wanted=audio_track, found=len(tracks))
        yield Recording(
            container=container, stream=tracks[audio_track], present_share=signatures.present_share(path)
        )


def blocks(recording: Recording, *, longest_seconds: float = float("inf")) -> Iterator[npt.NDArray[np.int16]]:
    """The recording from its start, in blocks of BLOCK_SAMPLES or more; the last may be shorter.

    Broken packets are left out and counted. Raises CorruptAudioError when too little can be decoded, and
    TooLongError as soon as it is known: nothing is written first that would be thrown away.
    """
    waiting: list[npt.NDArray[np.int16]] = []
    waiting_samples = 0
    for part in _parts(recording, longest_seconds):
        waiting.append(part)
        waiting_samples += len(part)
        recording.tally.emitted_samples += len(part)
        if waiting_samples >= BLOCK_SAMPLES:
            yield np.concatenate(waiting)
            waiting, waiting_samples = [], 0
    if waiting:
        yield np.concatenate(waiting)
    _raise_if_corrupt(recording)


def warnings(recording: Recording) -> tuple[str, ...]:
    """What people should know of a decoding that went through."""
    tally, stated = recording.tally, recording.stated_seconds
    decoded = tally.emitted_samples / SAMPLE_RATE_HZ
    found = list(_unheard_tracks(recording))
    if stated is not None and decoded < stated - max(1.0, 0.01 * stated):
        found.append(f"The file states {stated:.1f} s of sound, but only {decoded:.1f} s could be decoded.")
    elif tally.ended_early:
        found.append("The file ends in the middle of its data.")
    if tally.missing_samples:
        missing = tally.missing_samples / SAMPLE_RATE_HZ
        found.append(f"{missing:.1f} s in the middle of the file have no sound and were taken for silence.")
    if tally.broken_packets:
        found.append(f"{tally.broken_packets} damaged piece(s) of the file were left out.")
    return tuple(found)


def _unheard_tracks(recording: Recording) -> Iterator[str]:
    tracks = [stream.index for stream in recording.container.streams.audio]
    if len(tracks) > 1:
        chosen = tracks.index(recording.stream.index) + 1
        yield (
            f"The file has {len(tracks)} audio tracks, and only track {chosen} was used. To have another one "
            "transcribed, upload it as a file of its own."
        )


def _parts(recording: Recording, longest_seconds: float) -> Iterator[npt.NDArray[np.int16]]:
    resampler = _Resampler()
    timeline = _Timeline(recording)
    for frame in _frames(recording):
        silence = timeline.silence_before(frame)
        if recording.tally.emitted_samples + silence > longest_seconds * SAMPLE_RATE_HZ:
            raise errors.TooLongError(longest_seconds=longest_seconds)
        while silence > 0:
            length = min(silence, BLOCK_SAMPLES)
            yield np.zeros(length, dtype=np.int16)
            silence -= length
        yield from resampler.resample(frame)
    yield from resampler.flush()


def _frames(recording: Recording) -> Iterator[Any]:
    packets = recording.container.demux(recording.stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except (av.error.FFmpegError, EOFError):
            recording.tally.ended_early = True
            return
        yield from _decoded(packet, recording.tally)


def _decoded(packet: Any, tally: DecodingTally) -> list[Any]:
    try:
        frames = list(packet.decode())
    except (av.error.FFmpegError, EOFError):
        tally.broken_packets += 1
        return []
    tally.good_packets += bool(frames)
    return frames


def _raise_if_corrupt(recording: Recording) -> None:
    tally, stated = recording.tally, recording.stated_seconds
    decoded = tally.emitted_samples / SAMPLE_RATE_HZ
    if tally.good_packets == 0:
        raise errors.CorruptAudioError("no sound in it can be decoded")
    if tally.broken_packets > tally.good_packets:
        raise errors.CorruptAudioError("most of its sound cannot be decoded")
    if stated is not None and decoded < LEAST_DECODED_SHARE * stated:
        raise errors.CorruptAudioError(f"only {decoded:.1f} s of its {stated:.1f} s can be decoded")


class _Resampler:
    """To 16 kHz mono; follows a stream whose own format changes on the way, as chained streams may."""

    def __init__(self) -> None:
        self._format: tuple[object, ...] | None = None
        self._resampler = self._new()

    def resample(self, frame: Any) -> Iterator[npt.NDArray[np.int16]]:
        if frame.sample_rate not in SAMPLE_RATES_HZ:
            raise errors.CorruptAudioError(f"it claims a sample rate of {frame.sample_rate} Hz")
        found = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._format not in (None, found):
            yield from self.flush()
            self._resampler = self._new()
        self._format = found
        # The resampler would take a hole in the timestamps for a reason to pad; the timeline does that.
        frame.pts = None
        yield from self._convert(frame)

    def flush(self) -> Iterator[npt.NDArray[np.int16]]:
        if self._format is not None:
            yield from self._convert(None)

    def _convert(self, frame: Any) -> Iterator[npt.NDArray[np.int16]]:
        for converted in self._resampler.resample(frame):
            yield converted.to_ndarray().reshape(-1)

    @staticmethod
    def _new() -> Any:
        return av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)


class _Timeline:
    """Compares what was decoded with the timestamps."""

    def __init__(self, recording: Recording) -> None:
        self._tally = recording.tally
        self._start_seconds = (recording.container.start_time or 0) / av.time_base
        self._stated_seconds = recording.stated_seconds
        self._shift_samples: int | None = None

    def silence_before(self, frame: Any) -> int:
        """Samples of silence that are missing before the frame.

        A timestamp beyond the file's stated end is not believed: from there on the clock is set anew.
        """
        if frame.time is None or self._stated_seconds is None:
            return 0
        place = samples(frame.time - self._start_seconds) + (self._shift_samples or 0)
        missing = place - self._tally.emitted_samples
        if missing <= samples(GAP_SECONDS):
            return 0
        if place > samples(self._stated_seconds + 1.0):
            self._shift_samples = (self._shift_samples or 0) - missing
            return 0
        if self._tally.emitted_samples:
            self._tally.missing_samples += missing
        return missing
