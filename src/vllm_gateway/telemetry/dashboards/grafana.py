"""Dashboards in Grafana's words: schema 39, which Grafana 10.4 and later read."""

from collections.abc import Iterator
from typing import Any

from vllm_gateway.telemetry.dashboards.board import Board, Look, Panel, Query, Unit, Variable
from vllm_gateway.telemetry.dashboards.callers import CALLERS
from vllm_gateway.telemetry.dashboards.fleet import FLEET
from vllm_gateway.telemetry.dashboards.models import MODELS
from vllm_gateway.telemetry.dashboards.reliability import RELIABILITY
from vllm_gateway.telemetry.metrics import definitions as of

BOARDS = (FLEET, MODELS, CALLERS, RELIABILITY)
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_COLUMNS = 24
_SIZES = {Look.NUMBER: (4, 4), Look.LINES: (8, 8), Look.TABLE: (24, 9), Look.HEATMAP: (12, 8)}
"""Width and height, in Grafana's units."""
_TAG = "vllm-gateway"


def dashboard(board: Board) -> dict[str, Any]:
    """Return what Grafana imports."""
    return {
        "uid": f"vllm-gateway-{board.name}",
        "title": board.title,
        "description": board.about,
        "tags": [_TAG],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": []},
        "links": [
            {"type": "dashboards", "title": _TAG, "tags": [_TAG], "asDropdown": True, "includeVars": True}
            | {"keepTime": True, "icon": "external link", "targetBlank": False, "tooltip": "", "url": ""}
        ],
        "templating": {"list": [*_targets(), *map(_variable, board.variables)]},
        "panels": list(_panels(board)),
    }


def _targets() -> Iterator[dict[str, Any]]:
    """Return what every dashboard lets one choose: the data source, and the gateways."""
    yield {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "hide": 0,
        "refresh": 1,
    }
    yield _variable(Variable("job", "Job", query=f"label_values({of.BUILD_INFO.name}, job)"))
    yield _variable(
        Variable("instance", "Gateway", query=f'label_values({of.BUILD_INFO.name}{{job=~"$job"}}, instance)')
    )


def _variable(variable: Variable) -> dict[str, Any]:
    shared = {"name": variable.name, "label": variable.label, "hide": 0}
    if variable.values:
        options = [{"text": each, "value": each, "selected": each == variable.values[0]} for each in variable.values]
        return shared | {
            "type": "custom",
            "query": ",".join(variable.values),
            "options": options,
            "current": options[0],
            "multi": False,
            "includeAll": False,
        }
    return shared | {
        "type": "query",
        "datasource": _SOURCE,
        "definition": variable.query,
        "query": {"query": variable.query, "refId": variable.name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"], "selected": True},
        "options": [],
    }


def _panels(board: Board) -> Iterator[dict[str, Any]]:
    """Return the rows and their panels, laid out from left to right."""
    top = number = 0
    for row in board.rows:
        number += 1
        place = {"x": 0, "y": top, "w": _COLUMNS, "h": 1}
        yield {"id": number, "type": "row", "title": row.title, "collapsed": False, "gridPos": place, "panels": []}
        left, top, height = 0, top + 1, 0
        for panel in row.panels:
            number += 1
            wide, high = _SIZES[panel.look]
            if left + wide > _COLUMNS:
                left, top, height = 0, top + height, 0
            yield _panel(panel, number, {"x": left, "y": top, "w": wide, "h": high})
            left, height = left + wide, max(height, high)
        top += height


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": panel.look.value,
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "gridPos": place,
        "targets": [_query(query, panel.look, "ABCDEF"[index]) for index, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel.look),
        "transformations": list(_transformations(panel)),
    }


def _query(query: Query, look: Look, name: str) -> dict[str, Any]:
    is_range = look in {Look.LINES, Look.HEATMAP}
    return {
        "refId": name,
        "datasource": _SOURCE,
        "expr": query.expression,
        "legendFormat": query.legend,
        "editorMode": "code",
        "range": is_range,
        "instant": not is_range,
        "format": {Look.TABLE: "table", Look.HEATMAP: "heatmap"}.get(look, "time_series"),
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit.value, "thresholds": _thresholds(panel)}
    if panel.look is Look.LINES:
        defaults["custom"] = {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 30 if panel.is_stacked else 8,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"mode": "normal" if panel.is_stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "off" if panel.bad is None else "dashed"},
        }
        defaults["color"] = {"mode": "palette-classic"}
    if panel.unit is not Unit.COUNT or panel.look is Look.LINES:
        defaults["min"] = 0
    return defaults


def _thresholds(panel: Panel) -> dict[str, Any]:
    if panel.warn is None or panel.bad is None:
        return {"mode": "absolute", "steps": [{"color": "text", "value": None}]}
    if panel.bad < panel.warn:
        colors = [("red", None), ("orange", panel.bad), ("green", panel.warn)]
    else:
        colors = [("green", None), ("orange", panel.warn), ("red", panel.bad)]
    return {"mode": "absolute", "steps": [{"color": color, "value": value} for color, value in colors]}


def _options(look: Look) -> dict[str, Any]:
    if look is Look.LINES:
        legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
        return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
    if look is Look.NUMBER:
        reduced = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        return {"reduceOptions": reduced, "colorMode": "value", "graphMode": "none", "textMode": "value"}
    if look is Look.HEATMAP:
        return {"calculate": False, "yAxis": {"unit": "s"}, "color": {"scheme": "Spectral", "mode": "scheme"}}
    return {"showHeader": True, "cellHeight": "sm"}


def _transformations(panel: Panel) -> Iterator[dict[str, Any]]:
    """Have Grafana put the queries of a table side by side, each under its own name."""
    if panel.look is Look.TABLE:
        names = {f"Value #{'ABCDEF'[index]}": query.legend for index, query in enumerate(panel.queries)}
        yield {"id": "merge", "options": {}}
        yield {"id": "organize", "options": {"excludeByName": {"Time": True}, "renameByName": names}}
