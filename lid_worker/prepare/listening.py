"""One pass over the recording: decoded to disk as raw samples, with its speech found on the way."""

from dataclasses import dataclass
from pathlib import Path

from contracts import blobs, params, results
from lid_worker import errors
from lid_worker.prepare import decoding
from lid_worker.prepare.sound import samples, seconds
from lid_worker.prepare.speech import SpeechFinder, SpeechSpan
from lid_worker.prepare.voice import VoiceModel, VoiceStream
from worker_kit.context import StepContext


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What one pass told."""

    source: results.SourceFacts
    pcm_path: Path
    """16 kHz, mono, 16-bit little-endian, without a header: 115 MB for each hour."""
    total: int
    """Samples."""
    spans: tuple[SpeechSpan, ...]
    warnings: tuple[str, ...]


def listen(
    path: Path,
    *,
    reference: blobs.BlobReference,
    wanted: params.PrepareParams,
    model: VoiceModel,
    context: StepContext,
) -> Heard:
    """Memory does not grow with the recording. Raises NotAudioError and its siblings."""
    pcm_path = context.workspace / "sound.pcm"
    with decoding.opened(path, audio_track=wanted.audio_track) as recording:
        finder = SpeechFinder()
        _decode(recording, pcm_path, finder, VoiceStream(model), wanted, context)
        total = recording.tally.emitted_samples
        return Heard(
            source=_facts(recording, reference),
            pcm_path=pcm_path,
            total=total,
            spans=finder.spans(total=total),
            warnings=decoding.warnings(recording),
        )


def _decode(
    recording: decoding.Recording,
    pcm_path: Path,
    finder: SpeechFinder,
    voice: VoiceStream,
    wanted: params.PrepareParams,
    context: StepContext,
) -> None:
    longest = samples(wanted.longest_recording_seconds)
    with pcm_path.open("xb") as pcm:
        for block in decoding.blocks(recording, longest_seconds=wanted.longest_recording_seconds):
            context.raise_if_cancelled()
            if recording.tally.emitted_samples > longest:
                raise errors.TooLongError(longest_seconds=wanted.longest_recording_seconds)
            pcm.write(block.astype("<i2").tobytes())
            finder.feed(voice.feed(block))
            context.progress(seconds(recording.tally.emitted_samples))
    finder.feed(voice.finish())


def _facts(recording: decoding.Recording, reference: blobs.BlobReference) -> results.SourceFacts:
    codec = recording.stream.codec_context
    return results.SourceFacts(
        content_hash=reference.content_hash or "",
        size_bytes=reference.size_bytes or 0,
        container_format=recording.container.format.name,
        audio_codec=codec.name,
        sample_rate_hz=codec.sample_rate or 0,
        channels=codec.channels or 0,
        audio_tracks=len(recording.container.streams.audio),
        has_video=recording.has_video,
    )
