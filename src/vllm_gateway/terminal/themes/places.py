"""Where themes are: the user's, btop's, and the one that the desktop wears now."""

from dataclasses import dataclass
from pathlib import Path

from vllm_gateway.settings.config_folder import config_home, state_home
from vllm_gateway.terminal.themes.btop_file import read_setting

SHARED = (
    Path("/usr/local/share/btop/themes"),
    Path("/usr/share/btop/themes"),
    Path("/opt/homebrew/share/btop/themes"),
    Path("/var/lib/flatpak/app/io.github.aristocratos.btop/current/active/files/share/btop/themes"),
    Path("/snap/btop/current/usr/local/share/btop/themes"),
)
"""Where an installed btop has its themes, by the way in which it was installed."""
MAX_BYTES = 64 * 1024
"""A theme is a few KiB; whatever is larger is none."""


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one user."""

    config: Path
    state: Path
    shared: tuple[Path, ...] = SHARED

    @property
    def theme_folders(self) -> list[Path]:
        """Folders with theme files; what is in an earlier one counts."""
        first_shared = next((folder for folder in self.shared if folder.is_dir()), None)
        found = [self.config / "vllm-gateway" / "themes", self.config / "btop" / "themes", first_shared]
        return [folder for folder in found if folder is not None and folder.is_dir()]

    @property
    def desktop_themes(self) -> list[Path]:
        """Where a desktop puts the theme file that it wears now: Omarchy 4, Omarchy 3."""
        current = Path("omarchy") / "current" / "theme" / "btop.theme"
        return [self.state / current, self.config / current]

    @property
    def btop_settings(self) -> Path:
        """What the user has told btop."""
        return self.config / "btop" / "btop.conf"


@dataclass(frozen=True, slots=True)
class Worn:
    """What is found when the user wants what everything else wears."""

    theme: str
    """A file, or a name."""
    has_background: bool = True


def places_here() -> Places:
    """Return the folders of who runs this."""
    return Places(config_home(), state_home())


def find_worn(places: Places) -> Worn | None:
    """Return what the desktop wears, or else what btop does; None when nobody says."""
    for path in places.desktop_themes:
        if path.is_file():
            return Worn(str(path))
    settings = read_text(places.btop_settings)
    theme = read_setting(settings, "color_theme") if settings else None
    if not settings or not theme:
        return None
    return Worn(theme, (read_setting(settings, "theme_background") or "").lower() != "false")


def find_file(name: str, places: Places) -> Path | None:
    """Return the theme file of a name: a path, a file's name, or that without its ending."""
    if "/" in name:
        named = Path(name).expanduser()
        return named if named.is_file() else find_file(named.name, places)
    return next((path for folder in places.theme_folders if (path := _inside(folder, name)) is not None), None)


def read_text(path: Path) -> str | None:
    """Return the text of a file; None when it cannot be read or is far too large."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError:
        return None
    return data.decode(errors="replace") if len(data) <= MAX_BYTES else None


def _inside(folder: Path, name: str) -> Path | None:
    stem = name.removesuffix(".theme")
    return path if stem and (path := folder / f"{stem}.theme").is_file() else None
