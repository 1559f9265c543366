"""Dashboards as Grafana reads them."""

from collections.abc import Iterator
from typing import Any

import pytest

from scripts.dashboards import DEPLOY, files
from vllm_gateway import codec
from vllm_gateway.telemetry.dashboards.board import Board
from vllm_gateway.telemetry.dashboards.grafana import BOARDS, dashboard

SHOWN = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)


def test_what_stands_in_deploy_is_what_the_code_says() -> None:
    """After a change: `python -m scripts.dashboards`. Nothing else is there."""
    for path, content in files().items():
        assert path.read_bytes() == content, f"{path} is out of date: python -m scripts.dashboards"
    assert set((DEPLOY / "grafana").glob("*.json")) <= set(files())


def placed(board: Board) -> Iterator[tuple[int, int, int, int]]:
    """Return where the panels are: left, top, right, bottom."""
    for panel in dashboard(board)["panels"]:
        place = panel["gridPos"]
        yield place["x"], place["y"], place["x"] + place["w"], place["y"] + place["h"]


@SHOWN
def test_no_panel_lies_on_another(board: Board) -> None:
    """And none beyond the right edge."""
    places = list(placed(board))
    assert all(right <= 24 for _, _, right, _ in places)
    for index, one in enumerate(places):
        for other in places[index + 1 :]:
            is_beside = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
            assert is_beside, (one, other)


@SHOWN
def test_every_panel_has_all_that_grafana_needs(board: Board) -> None:
    """A number of its own, a unit, the chosen data source, and queries with names of their own."""
    panels: list[dict[str, Any]] = dashboard(board)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in (each for each in panels if each["type"] != "row"):
        assert panel["fieldConfig"]["defaults"]["unit"]
        names = [target["refId"] for target in panel["targets"]]
        assert names
        assert len(set(names)) == len(names)
        for target in (panel, *panel["targets"]):
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@SHOWN
def test_every_variable_that_is_used_can_be_chosen(board: Board) -> None:
    """The data source and the gateways in all of them; no variable is there for nothing."""
    made = dashboard(board)
    text = codec.dumps(made).decode()
    for name in (each["name"] for each in made["templating"]["list"]):
        assert f"${name}" in text or f"${{{name}}}" in text
    known = {each["name"] for each in made["templating"]["list"]} | {"__rate_interval", "__range", "__all", "labels"}
    assert {"datasource", "job", "instance"} <= known
    for piece in text.replace("${", "$").split("$")[1:]:
        assert any(piece.startswith(name) for name in known), piece[:30]


def test_dashboards_have_addresses_of_their_own() -> None:
    """Which stay when they are imported again."""
    assert [dashboard(board)["uid"] for board in BOARDS] == [
        "vllm-gateway-fleet",
        "vllm-gateway-models",
        "vllm-gateway-callers",
        "vllm-gateway-reliability",
    ]
