"""The two ways into a gateway; what concerns how requests are read and answered is tested on both."""

from typing import Any

LANES = ("express", "asgi")
MARKER = "both_lanes"


class Lane:
    """The lane that the gateways of the test take which runs now."""

    now = LANES[0]


def settings_now() -> dict[str, Any]:
    """Return the section `edge` of the settings of a gateway that takes the lane of now."""
    return {"express": Lane.now == "express"}
