"""The settings as a JSON Schema, for editors."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from vllm_gateway.settings.model import Settings

FILE_NAME = "gateway.schema.json"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the settings file."""
    return {"$schema": GenerateJsonSchema.schema_dialect, **Settings.model_json_schema()}
