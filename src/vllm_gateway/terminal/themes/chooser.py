"""The list of themes: whichever is marked is worn at once."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option
from typing_extensions import override

from vllm_gateway.terminal.themes.wearing import Wardrobe


class ThemeChooser(ModalScreen[str | None]):
    """Returns the name that was chosen; None when everything is to stay as it was."""

    CSS = """
    ThemeChooser { align: right top; background: transparent; }
    ThemeChooser > Vertical {
        width: 34; max-height: 100%; height: auto; background: $panel; border: round $border; padding: 0 1;
        border-title-color: $text;
    }
    ThemeChooser OptionList { height: auto; max-height: 24; background: $panel; border: none; padding: 0; }
    ThemeChooser Static { color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave", "leave it as it was"), ("q", "leave", "leave")]

    def __init__(self, wardrobe: Wardrobe) -> None:
        super().__init__()
        self._wardrobe = wardrobe
        self._before = wardrobe.name

    @override
    def compose(self) -> ComposeResult:
        names = self._wardrobe.themes.names()
        if self._before not in names:
            names.insert(0, self._before)
        with Vertical() as box:
            box.border_title = "theme"
            yield OptionList(*(Option(name, id=f"theme-{at}") for at, name in enumerate(names)))
            yield Static("enter takes it, esc goes back")

    def on_mount(self) -> None:
        """Mark the theme that is worn."""
        names = self.query_one(OptionList)
        at = next(at for at in range(names.option_count) if str(names.get_option_at_index(at).prompt) == self._before)
        names.highlighted = at
        names.focus()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Wear what is marked."""
        if str(event.option.prompt) != self._wardrobe.name:
            self._wardrobe.wear(str(event.option.prompt))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Keep it."""
        self.dismiss(str(event.option.prompt))

    def action_leave(self) -> None:
        """Wear again what was worn before."""
        self._wardrobe.wear(self._before)
        self.dismiss(None)
