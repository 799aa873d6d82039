"""From the decoder's answer to a clip's text. Pure."""

from collections.abc import Callable, Sequence

from gpu_worker.engines import ClipText, SpokenSegment, SpokenWord, Verdict
from gpu_worker.whisper_decoding import Answer
from gpu_worker.whisper_tokens import TokenSegment


def clip_text(
    language: str,
    answer: Answer,
    segments: Sequence[TokenSegment],
    words: Sequence[tuple[SpokenWord, ...]],
    *,
    decode: Callable[[list[int]], str],
) -> ClipText:
    """`words` holds those of each segment, or nothing when nobody asked for them."""
    if not answer.text:
        return ClipText(language=language, verdict=Verdict.NO_TEXT)
    if answer.is_silence:
        detail = (
            f"no speech with probability {answer.no_speech_probability:.2f}, "
            f"mean log probability of the text {answer.mean_log_probability:.2f}"
        )
        return ClipText(language=language, verdict=Verdict.REJECTED, detail=detail)
    spoken = [
        _spoken(
            segment, decode(list(segment.tokens)).strip(), words[index] if words else (), answer.confidence
        )
        for index, segment in enumerate(segments)
    ]
    texts = tuple(segment for segment in spoken if segment.text)
    return ClipText(language=language, verdict=Verdict.TEXT, segments=texts)


def _spoken(
    segment: TokenSegment, text: str, words: tuple[SpokenWord, ...], confidence: float
) -> SpokenSegment:
    if not words:
        return SpokenSegment(start=segment.start, end=segment.end, text=text, confidence=confidence)
    return SpokenSegment(
        start=words[0].start,
        end=words[-1].end,
        text=text,
        confidence=sum(word.confidence for word in words) / len(words),
        words=words,
    )
