"""Settings loaded from an empty directory and an empty environment, but for what a test gives."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from vllm_gateway.settings import Assignment, Loaded, SettingsInvalid, load

Load = Callable[..., Loaded]
Refused = Callable[..., list[str]]


@pytest.fixture
def loaded(tmp_path: Path) -> Load:
    """Load settings from a file's text, variables, a `.env` text and flags."""

    def load_from(
        file: str | None = None,
        environment: Mapping[str, str] | None = None,
        dotenv: str | None = None,
        flags: Sequence[Assignment] = (),
        config: Path | None = None,
    ) -> Loaded:
        if file is not None:
            path = tmp_path / "gateway.yaml"
            path.write_text(file)
            path.chmod(0o600)  # as one that holds secrets must be
        if dotenv is not None:
            (tmp_path / ".env").write_text(dotenv)
        return load(config=config, flags=flags, environment=environment or {}, directory=tmp_path)

    return load_from


@pytest.fixture
def refused(loaded: Load) -> Refused:
    """Load settings that must be refused, and return the lines that say why."""

    def refuse(*arguments: object, **sources: object) -> list[str]:
        with pytest.raises(SettingsInvalid) as caught:
            loaded(*arguments, **sources)
        return [problem.line for problem in caught.value.problems]

    return refuse
