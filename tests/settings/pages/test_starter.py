"""The starter file."""

import re

from tests.settings.conftest import Load
from vllm_gateway.settings import Settings
from vllm_gateway.settings.pages.starter import starter
from vllm_gateway.settings.places import fields


def test_the_file_sets_nothing_as_it_is(loaded: Load) -> None:
    """A fresh starter file is valid and leaves every default."""
    assert loaded(starter()).settings == Settings()


def test_the_file_is_valid_with_everything_uncommented(loaded: Load) -> None:
    """Each commented setting is written right: without its `#` the file is valid, and only upstreams differ."""
    settings = loaded(re.sub(r"^#(?=[ \w])(?! yaml-language-server)", "", starter(), flags=re.MULTILINE)).settings
    (upstream,) = settings.upstreams
    assert upstream.root == "http://127.0.0.1:8000"
    assert settings.model_copy(update={"upstreams": ()}) == Settings()


def test_editors_are_told_the_schema_first() -> None:
    """The first line is the one that the YAML language server looks for."""
    assert starter().startswith("# yaml-language-server: $schema=gateway.schema.json\n")


def test_every_setting_is_explained() -> None:
    """Each key is there, and no other."""
    keys = re.findall(r"^#[ -]*(\w+):", starter(), flags=re.MULTILINE)
    known = [place for place, _ in fields()]
    sections = [str(around[-1]) for around in {place[:-1] for place in known} if around and around[-1] != 0]
    assert sorted(keys) == sorted([*(str(place[-1]) for place in known), *sections])
