"""What all parts of the settings are made of: kinds of values, and the rule that unknown keys are faults."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr


def _number_not_bool(value: object) -> object:
    """Refuse `true` where a number is meant: Python would read it as 1."""
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")  # noqa: TRY004 - pydantic reads ValueError only
    return value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _secret_or_none(value: object) -> object:
    """Read an empty secret as none: `${KEY:-}` without KEY is how people write an optional one."""
    return None if value == "" else value


NotBool = BeforeValidator(_number_not_bool)
Port = Annotated[int, Field(ge=0, le=65535), NotBool]
Name = Annotated[str, Field(min_length=1, max_length=256)]
RouteName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Secret = Annotated[SecretStr | None, BeforeValidator(_secret_or_none)]
FilePath = Annotated[str, Field(min_length=1, max_length=4096)]
Seconds = Annotated[float, Field(ge=0, le=86_400), NotBool]
Lifetime = Annotated[float, Field(ge=0, le=31_536_000), NotBool]
Minute = Annotated[float, Field(gt=0, le=3600), NotBool]
Percent = Annotated[float, Field(ge=0, le=100), NotBool]
Positive = Annotated[int, Field(ge=1, le=1_000_000_000), NotBool]
Count = Annotated[int, Field(ge=0, le=1_000_000_000), NotBool]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)]


class Section(BaseModel):
    """What all parts of the settings share: they never change, and a key that they do not know is a fault."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True, validate_default=True
    )
