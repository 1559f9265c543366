"""The JSON Schema."""

from vllm_gateway.settings import Settings
from vllm_gateway.settings.pages.schema import json_schema


def test_the_schema_knows_every_key_and_nothing_else() -> None:
    """Draft 2020-12, with all keys, their descriptions and defaults; unknown keys are not allowed."""
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["properties"].keys() == Settings.model_fields.keys()
    assert all(part["additionalProperties"] is False for part in (schema, *schema["$defs"].values()))
    port = schema["properties"]["port"]
    assert (port["default"], port["minimum"], port["maximum"]) == (8080, 0, 65535)
    assert port["description"]
