"""Workers that only pretend to listen: they read requests and write the results that real ones would."""

# ruff: noqa: ARG002 - every step is called alike
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from contracts import blobs, contract, events, messages, results, steps
from function_app.blobs_memory import MemoryBlobStore

HASH = "sha256:" + "ab" * 32
FINISHED_AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@dataclass
class StepWorkers:
    """Every chunk is 10 s of sound with 8 s of speech, and says its own sentence."""

    store: MemoryBlobStore
    sentences: Sequence[str] = ("Hello there.", "The parcel is late.", "We will send another one.")
    language: str = "en"
    is_mute: bool = False
    """There is speech, and nothing to write."""
    failures: Mapping[str, events.Failed] = field(default_factory=dict)
    """By event name."""

    def answer(self, request: messages.StepRequest) -> events.StepFinished:
        """The worker's order: the result is written, then the event goes out."""
        outcome: events.Outcome = self.failures.get(request.reply_to.event_name) or self._work(request)
        return events.StepFinished(
            tenant_id=request.tenant_id,
            job_id=request.job_id,
            run=request.run,
            step=request.step,
            chunk=request.chunk,
            attempt=request.attempt,
            reply_to=request.reply_to,
            outcome=outcome,
            finished_at=FINISHED_AT,
        )

    def _work(self, request: messages.StepRequest) -> events.Completed:
        make = {
            steps.Step.PREPARE: self._prepare,
            steps.Step.LID: self._identify,
            steps.Step.TRANSCRIBE: self._transcribe,
        }
        result, facts = make[request.step](request)
        data = result.model_dump_json().encode()
        reference = self.store.ensure(
            request.result.container, request.result.path, data, content_type="application/json"
        )
        return events.Completed(result=reference, facts=facts)

    def _prepare(self, request: messages.StepRequest) -> tuple[contract.Contract, events.PrepareFacts]:
        chunks = tuple(self._chunk(request, index) for index in range(len(self.sentences)))
        plan = results.ChunkPlan(
            source=results.SourceFacts(
                content_hash=HASH,
                size_bytes=1000,
                container_format="flac",
                audio_codec="flac",
                sample_rate_hz=16000,
                channels=1,
                audio_tracks=1,
            ),
            audio_seconds=10.0 * len(chunks),
            speech_seconds=8.0 * len(chunks),
            chunks=chunks,
        )
        facts = events.PrepareFacts(
            source_content_hash=HASH,
            audio_seconds=plan.audio_seconds,
            speech_seconds=plan.speech_seconds,
            chunk_count=len(chunks),
        )
        return plan, facts

    def _chunk(self, request: messages.StepRequest, index: int) -> results.PlannedChunk:
        path = blobs.chunk_audio_path(
            tenant_id=request.tenant_id, job_id=request.job_id, plan_key=request.result.key, chunk=index
        )
        audio = self.store.ensure(
            blobs.Container.WORK, path, f"sound {index}".encode(), content_type="audio/flac"
        )
        start = 10.0 * index
        return results.PlannedChunk(
            index=index,
            start=start,
            end=start + 10,
            speech=(messages.Span(start=start + 1, end=start + 9),),
            audio=audio,
        )

    def _identify(self, request: messages.StepRequest) -> tuple[contract.Contract, events.LidFacts]:
        found = results.LanguageResult(
            language=self.language,
            confidence=0.9,
            votes=(),
            engine="whisper",
            model="tiny",
            revision="1",
            warnings=("only one place was heard",),
        )
        return found, events.LidFacts(language=self.language, confidence=0.9)

    def _transcribe(self, request: messages.StepRequest) -> tuple[contract.Contract, events.TranscribeFacts]:
        chunk, place = request.chunk, request.chunk_audio
        if chunk is None or place is None:
            raise AssertionError(f"transcribe without a chunk: {json.dumps(request.model_dump(mode='json'))}")
        transcript = results.ChunkTranscript(
            chunk=chunk,
            channel=place.channel,
            start=place.start,
            end=place.end,
            language=self.language,
            segments=() if self.is_mute else (self._segment(self.sentences[chunk], place.start + 1),),
            speech_seconds=8.0,
            engine="whisper",
            model="tiny",
            revision="1",
        )
        facts = events.TranscribeFacts(audio_seconds=place.end - place.start, segment_count=1, gap_seconds=0)
        return transcript, facts

    def _segment(self, sentence: str, start: float) -> results.Segment:
        texts = sentence.split()
        words = tuple(
            results.Word(start=start + i, end=start + i + 0.8, text=text, confidence=0.9)
            for i, text in enumerate(texts)
        )
        return results.Segment(
            start=start,
            end=words[-1].end,
            text=sentence,
            confidence=0.9,
            language=self.language,
            words=words,
        )
