"""Names and keys that several processes must build alike."""

import re

import pytest

from contracts import identity, messages, params, result_keys, steps

DURABLE_SAFE = re.compile(r"[A-Za-z0-9_.:-]+")


def transcribe_params(**changes: object) -> params.TranscribeParams:
    values = {"engine": "whisper", "model": "tiny", "revision": "r1", "language": "en", **changes}
    return params.TranscribeParams.model_validate(values)


CHUNK = messages.ChunkAudio(start=0, end=4, speech=(messages.Span(start=1, end=2),))


def test_ids_need_no_quoting_in_the_urls_of_the_durable_client() -> None:
    names = [
        identity.instance_id(job_id="9f0c-1", run=2),
        identity.lane_instance_id(job_id="9f0c-1", run=2, lane=3),
        identity.event_name(step=steps.Step.TRANSCRIBE, chunk=4, attempt=1),
        identity.message_id(job_id="9f0c-1", run=2, step=steps.Step.LID, chunk=None, attempt=1),
    ]
    assert all(DURABLE_SAFE.fullmatch(name) for name in names)
    assert names == ["9f0c-1.2", "9f0c-1.2:lane:3", "transcribe.4.1", "9f0c-1.2:lid:0:1"]


def test_same_ingredients_give_the_same_key() -> None:
    first = result_keys.result_key(inputs=["sha256:a"], params=transcribe_params(), chunk_audio=CHUNK)
    second = result_keys.result_key(inputs=["sha256:a"], params=transcribe_params(), chunk_audio=CHUNK)
    assert first == second
    assert re.fullmatch("[0-9a-f]{64}", first)


@pytest.mark.parametrize(
    ("inputs", "changes", "chunk"),
    [
        (["sha256:b"], {}, CHUNK),
        (["sha256:a"], {"language": "es"}, CHUNK),
        (["sha256:a"], {"revision": "r2"}, CHUNK),
        (["sha256:a"], {"beam_size": 1}, CHUNK),
        (["sha256:a"], {}, CHUNK.model_copy(update={"start": 60.0})),
        (["sha256:a", "sha256:b"], {}, CHUNK),
    ],
    ids=["other input", "other language", "other model", "other beam", "other place", "more inputs"],
)
def test_any_other_ingredient_gives_another_key(
    inputs: list[str], changes: dict[str, object], chunk: messages.ChunkAudio
) -> None:
    reference = result_keys.result_key(inputs=["sha256:a"], params=transcribe_params(), chunk_audio=CHUNK)
    assert reference != result_keys.result_key(
        inputs=inputs, params=transcribe_params(**changes), chunk_audio=chunk
    )


def test_unknown_field_in_a_message_is_an_error_not_a_guess() -> None:
    with pytest.raises(ValueError, match="beam_sise"):
        transcribe_params(beam_sise=3)
