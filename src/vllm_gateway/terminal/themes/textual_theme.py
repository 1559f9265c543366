"""A palette as a theme of Textual, so that its own widgets wear it too."""

import hashlib

from textual.theme import Theme

from vllm_gateway.terminal.themes.palette import Palette


def textual_theme(palette: Palette) -> Theme:
    """Return it. `ansi` has Textual leave the terminal's own colours and background alone."""
    color = palette.colors
    ground, text = _named(palette.background), _named(palette.text)
    raised = ground if palette.background == "default" else _named(palette.raised)
    return Theme(
        name=theme_name(palette),
        primary=_named(palette.title if palette.title != "default" else palette.good),
        secondary=_named(palette.title if palette.title != "default" else palette.good),
        warning=_named(palette.warn),
        error=_named(palette.bad),
        success=_named(palette.good),
        accent=_named(palette.hot),
        foreground=text,
        background=ground,
        surface=ground,
        panel=raised,
        boost=raised,
        dark=palette.is_dark,
        ansi=palette.background == "default",
        variables={
            "ansi-background": "ansi_black" if palette.is_dark else "ansi_white",
            "ansi-foreground": "ansi_white" if palette.is_dark else "ansi_black",
            "text": text,
            "text-muted": _named(palette.muted),
            "text-disabled": _named(palette.muted),
            "foreground-muted": _named(palette.muted),
            "foreground-disabled": _named(palette.muted),
            "text-primary": _named(palette.title),
            "text-secondary": _named(palette.title),
            "text-accent": _named(palette.hot),
            "text-success": _named(palette.good),
            "text-warning": _named(palette.warn),
            "text-error": _named(palette.bad),
            "border": _named(color["cpu_box"]),
            "border-blurred": _named(color["div_line"]),
            "block-cursor-foreground": _named(palette.selected),
            "block-cursor-background": _named(color["selected_bg"]),
            "block-cursor-blurred-foreground": _named(palette.selected),
            "block-cursor-blurred-background": _named(color["selected_bg"]),
            "input-selection-foreground": _named(palette.selected),
            "input-selection-background": _named(color["selected_bg"]),
            "footer-key-foreground": _named(palette.hot),
            "footer-description-foreground": text,
            "scrollbar": _named(color["inactive_fg"]),
            "scrollbar-hover": _named(palette.muted),
            "scrollbar-active": _named(palette.title),
            "scrollbar-background": ground,
            "scrollbar-background-hover": ground,
            "scrollbar-background-active": ground,
            "scrollbar-corner-color": ground,
        },
    )


def theme_name(palette: Palette) -> str:
    """Return the name under which Textual knows it: another one for other colours, or it would notice no change."""
    colors = repr((sorted(palette.colors.items()), palette.is_ansi)).encode()
    return f"vllm-gateway {palette.name} {hashlib.blake2b(colors, digest_size=4).hexdigest()}"


def _named(color: str) -> str:
    """Return a colour in Textual's words."""
    return color if color.startswith("#") else f"ansi_{color}"
