"""Colours as numbers: how bright they are, and what can be read on what.

Contrast is that of WCAG 2: from 1, the same brightness, to 21, black on white. Text is readable from 4.5 on.
"""

import re
from functools import cache

Rgb = tuple[int, int, int]

READABLE = 4.5
BLACK: Rgb = (0, 0, 0)
WHITE: Rgb = (255, 255, 255)
_HEX = re.compile(r"#([0-9a-fA-F]{6}|[0-9a-fA-F]{2})")
_STEPS = 64
_LINEAR = 0.04045
"""Below this sRGB is a straight line."""


def read_color(value: str) -> Rgb | None:
    """Read a colour as btop writes it: `#RRGGBB`, `#BW` for a grey, or three decimals; None when it is none."""
    text = value.strip()
    if found := _HEX.fullmatch(text):
        digits = found[1] if len(found[1]) == len("rrggbb") else found[1] * 3
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    parts = text.split()
    if len(parts) != len(BLACK) or not all(
        part.isascii() and part.isdigit() and int(part) <= WHITE[0] for part in parts
    ):
        return None
    red, green, blue = map(int, parts)
    return red, green, blue


def written(color: Rgb) -> str:
    """Return `#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*color)


@cache
def luminance(color: Rgb) -> float:
    """Return how bright a colour is, from 0 to 1."""
    red, green, blue = (_linear(part / 255) for part in color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Rgb, other: Rgb) -> float:
    """Return how well one is told from the other, from 1 to 21."""
    darker, brighter = sorted((luminance(one), luminance(other)))
    return (brighter + 0.05) / (darker + 0.05)


def mixed(one: Rgb, other: Rgb, share: float) -> Rgb:
    """Return `one` with so much of `other` in it."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


@cache
def readable(color: Rgb, ground: Rgb, least: float = READABLE) -> Rgb:
    """Return the colour nearest to `color` that can be read on `ground`: mixed with white or black as far as needed."""
    if contrast(color, ground) >= least:
        return color
    far = WHITE if contrast(WHITE, ground) >= contrast(BLACK, ground) else BLACK
    for step in range(1, _STEPS):
        if contrast(nearer := mixed(color, far, step / _STEPS), ground) >= least:
            return nearer
    return far


def _linear(part: float) -> float:
    return part / 12.92 if part <= _LINEAR else ((part + 0.055) / 1.055) ** 2.4
