"""The committed JSON Schemas are those of the models."""

import jsonschema
import pytest

from contracts import contract, schema_export


@pytest.mark.parametrize(
    ("name", "model"), schema_export.PUBLISHED.items(), ids=list(schema_export.PUBLISHED)
)
def test_committed_schema_has_not_drifted_from_its_model(name: str, model: type[contract.Contract]) -> None:
    committed = (schema_export.FOLDER / f"{name}.schema.json").read_text(encoding="utf-8")
    assert committed == schema_export.schema_text(model), "run: .venv/bin/python -m contracts.schema_export"


@pytest.mark.parametrize("model", schema_export.PUBLISHED.values(), ids=list(schema_export.PUBLISHED))
def test_schema_is_itself_valid(model: type[contract.Contract]) -> None:
    jsonschema.Draft202012Validator.check_schema(model.model_json_schema())


def test_no_schema_is_left_over_from_a_model_that_is_gone() -> None:
    committed = {path.name for path in schema_export.FOLDER.iterdir()}
    assert committed == {f"{name}.schema.json" for name in schema_export.PUBLISHED}
