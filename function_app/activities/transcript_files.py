"""A transcript's files, and what an orchestrator is told of them."""

from contracts import results
from function_app import given_transcripts, subtitles
from function_app.activities import answers, run_files


def write(files: run_files.RunFiles, transcript: results.Transcript) -> answers.Answer:
    """transcript.json, .txt and, where there are times, .srt and .vtt. Raises BlobsUnavailableError."""
    texts = {"transcript.txt": transcript.text + "\n"}
    if given_transcripts.is_timed(transcript.segments):
        cues = subtitles.of_transcript(transcript.segments)
        texts |= {"transcript.srt": subtitles.srt(cues), "transcript.vtt": subtitles.vtt(cues)}
    # The JSON last: where it is, the others are.
    texts["transcript.json"] = run_files.json_text(transcript)
    written = {name: files.write(name, text) for name, text in texts.items()}
    return {
        **answers.DONE,
        "result": written["transcript.json"].model_dump(mode="json"),
        "language": transcript.language,
        "files": {name: reference.path for name, reference in written.items()},
        "warnings": list(transcript.warnings[:50]),
    }
