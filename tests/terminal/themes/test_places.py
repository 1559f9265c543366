"""Where themes are."""

from pathlib import Path

from vllm_gateway.terminal.themes.places import MAX_BYTES, Places, Worn, find_file, find_worn, places_here, read_text


def write(path: Path, text: str = "") -> Path:
    """Write a file, and the folders to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def places(folder: Path) -> Places:
    """Return the places of a user whose home is `folder`."""
    return Places(folder / "config", folder / "state", (folder / "none", folder / "share", folder / "later"))


def test_the_users_own_theme_comes_first(tmp_path: Path) -> None:
    """Then the user's for btop, then those that came with btop, from the first place that there is."""
    where = places(tmp_path)
    write(tmp_path / "later/nord.theme")
    shared = write(tmp_path / "share/nord.theme")
    assert find_file("nord", where) == shared
    btops = write(tmp_path / "config/btop/themes/nord.theme")
    assert find_file("nord", where) == btops
    own = write(tmp_path / "config/vllm-gateway/themes/nord.theme")
    assert find_file("nord.theme", where) == own
    assert find_file("gruvbox", where) is None
    assert find_file("", where) is None


def test_a_path_names_a_file_and_else_its_name_does(tmp_path: Path) -> None:
    """What btop writes are whole paths, which may be those of another machine."""
    there = write(tmp_path / "any.theme")
    own = write(tmp_path / "config/vllm-gateway/themes/nord.theme")
    assert find_file(str(there), places(tmp_path)) == there
    assert find_file("/usr/share/btop/themes-of-old/nord.theme", places(tmp_path)) == own
    assert find_file("/usr/share/other.theme", places(tmp_path)) is None


def test_the_desktops_theme_comes_before_btops(tmp_path: Path) -> None:
    """Omarchy 4 before Omarchy 3 before what btop was told."""
    where = places(tmp_path)
    assert find_worn(where) is None
    write(where.btop_settings, 'theme_background = False\ncolor_theme = "nord"\n')
    assert find_worn(where) == Worn("nord", has_background=False)
    third = write(tmp_path / "config/omarchy/current/theme/btop.theme")
    assert find_worn(where) == Worn(str(third))
    fourth = write(tmp_path / "state/omarchy/current/theme/btop.theme")
    assert find_worn(where) == Worn(str(fourth))


def test_btop_without_a_theme_says_nothing(tmp_path: Path) -> None:
    """Its settings may be there and not name one."""
    write(places(tmp_path).btop_settings, "update_ms = 2000\n")
    assert find_worn(places(tmp_path)) is None


def test_what_is_no_theme_is_not_read(tmp_path: Path) -> None:
    """Neither what is too large nor a folder; bytes that are no text do not matter."""
    large = write(tmp_path / "large.theme", "x" * (MAX_BYTES + 1))
    odd = tmp_path / "odd.theme"
    odd.write_bytes(b'theme[main_fg]="#cc"\xff')
    assert (read_text(large), read_text(tmp_path)) == (None, None)
    assert (read_text(odd) or "").startswith("theme[")


def test_here_is_where_the_user_is() -> None:
    """The folders of the user's programs."""
    assert places_here().config.is_absolute()
