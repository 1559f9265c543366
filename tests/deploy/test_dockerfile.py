"""The image, as far as it can be judged without building it."""

import re

import pytest

from tests.deploy.files import DEPLOY

ROOT = DEPLOY.parent
TEXT = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
LINES = re.sub(r"\\\n\s*", "", "\n".join(line for line in TEXT.splitlines() if not line.startswith("#"))).splitlines()
STAGES = {
    re.search(r" AS (\w+)$", part[0])[1]: part  # type: ignore[index] # every stage has a name, which the test below sees
    for part in (chunk.splitlines() for chunk in re.split(r"\n(?=FROM )", "\n".join(LINES)))
    if part[0].startswith("FROM ")
}


@pytest.mark.parametrize("stage", ["slim", "distroless"])
def test_an_image_runs_without_rights_and_says_how_it_does(stage: str) -> None:
    """By the gateway's own command: there is no curl in it."""
    lines = STAGES[stage]
    assert "USER 10001:10001" in lines
    assert any(line.startswith("HEALTHCHECK ") and '"healthcheck"]' in line for line in lines)
    assert "STOPSIGNAL SIGTERM" in lines
    assert 'ENTRYPOINT ["python3", "-m", "vllm_gateway"]' in lines
    assert not any(line.startswith("RUN ") for line in lines), "what is run is run in the first stage"


def test_both_images_have_the_same_settings() -> None:
    """They differ in what they stand on only."""
    settings = [[line for line in STAGES[stage] if line.startswith("ENV ")] for stage in ("slim", "distroless")]
    assert re.sub(r" PATH=\S+", "", settings[0][0]) == settings[1][0]
    assert "GATEWAY_HOST=0.0.0.0" in settings[1][0]


def test_everything_is_installed_by_hash_and_nothing_is_left_behind() -> None:
    """The same as was tested; no cache of a package manager in any layer."""
    installs = [line for line in STAGES["build"] if "pip install" in line]
    assert len(installs) == 2
    assert installs[0].count("--require-hashes") == 2
    assert "--no-deps" in installs[1]
    assert "PIP_NO_CACHE_DIR=1" in "\n".join(STAGES["build"])
    assert "ADD " not in "\n".join(LINES)
    assert ":latest" not in TEXT


def test_the_python_of_both_is_the_one_that_was_built_with() -> None:
    """Compiled libraries fit one version; distroless on Debian 12 has 3.11."""
    assert "ARG PYTHON=3.11" in LINES
    assert STAGES["distroless"][0].startswith("FROM gcr.io/distroless/python3-debian12:nonroot")


def test_what_is_copied_is_there_and_let_in() -> None:
    """`.dockerignore` keeps everything out that is not named in it."""
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignore[0] == "*"
    copied = [
        word for line in LINES if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]
    ]
    assert {"src", "pyproject.toml", "requirements/image.txt"} <= set(copied)
    for name in copied:
        assert (ROOT / name).exists(), name
        assert f"!{name}" in ignore, name


def test_the_image_has_every_library_of_its_extras() -> None:
    """Stores, tokenizers and patterns work without another image."""
    pinned = (ROOT / "requirements" / "image.txt").read_text(encoding="utf-8")
    for library in ("redis", "asyncpg", "tokenizers", "minijinja", "google-re2", "uvicorn", "uvloop"):
        assert re.search(rf"^{library}==", pinned, re.MULTILINE), library
    assert not re.search(r"^(textual|matplotlib|pytest)==", pinned, re.MULTILINE)


def test_the_image_holds_the_versions_that_were_tested() -> None:
    """`make lock` keeps both lists alike."""
    tested, held = (
        dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", (ROOT / "requirements" / name).read_text("utf-8"), re.MULTILINE))
        for name in ("dev.txt", "image.txt")
    )
    assert {name: (version, tested.get(name)) for name, version in held.items() if tested.get(name) != version} == {}
