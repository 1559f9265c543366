"""Colours: btop's theme files, the desktop's theme, the terminal's own 16 colours, and themes of our own."""

from vllm_gateway.terminal.themes.loading import Themes
from vllm_gateway.terminal.themes.palette import Palette

__all__ = ["Palette", "Themes"]
