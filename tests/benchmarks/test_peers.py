"""Other gateways, installed from their packages."""

import shutil
from pathlib import Path

import pytest

from benchmarks import canned, peers
from benchmarks.peers import NotInstalled, Package
from benchmarks.targets import Place
from vllm_gateway import codec

PLACE = Place(port=1001, replica=1002, folder=Path())


def test_the_pinned_packages_are_known() -> None:
    """Every one of the list can be started, and has a version."""
    listed = peers.packages(peers.PINNED.read_text())
    assert [each.name for each in listed] == ["vllm-router", "sglang-router", "litellm"]
    for each in listed:
        assert each.version[0].isdigit()
        assert list(peers.targets(each, Path("bin")))


@pytest.mark.parametrize("line", ["router", "router>=1.0", "router==1.0 --upgrade"])
def test_a_package_without_one_version_is_refused(line: str) -> None:
    """A comparison that cannot be repeated is none."""
    with pytest.raises(ValueError, match="is no pinned package"):
        peers.packages(f"# others\n\n{line}  # why\n")


def test_each_package_has_an_environment_of_its_own(tmp_path: Path) -> None:
    """Its name and version are in the folder, so that another version is installed beside it."""
    assert Package("a", "1.0", "a==1.0").environment(tmp_path) == tmp_path / "a-1.0"


def test_what_is_installed_is_not_installed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second run needs no network, nor anything that installs."""
    package = Package("a", "1.0", "a==1.0")
    (tmp_path / "a-1.0").mkdir()
    (tmp_path / "a-1.0" / "installed").touch()
    monkeypatch.setattr(peers, "_installing", lambda *_: [["false"]])
    assert peers.install(package, tmp_path) == tmp_path / "a-1.0" / "bin"


def test_what_cannot_be_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the package and says what the installer said; the next run tries again."""
    failing = ["sh", "-c", "echo there is no such package >&2; exit 1"]
    monkeypatch.setattr(peers, "_installing", lambda *_: [failing])
    for _ in range(2):
        with pytest.raises(NotInstalled, match=r"a==1\.0 cannot be installed: there is no such package"):
            peers.install(Package("a", "1.0", "a==1.0"), tmp_path)


@pytest.mark.parametrize("program", ["/bin/uv", None])
def test_either_installer_gets_the_package(
    program: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With uv and without, an environment is made and the pinned package goes into it; no index is named."""
    monkeypatch.setattr(shutil, "which", lambda _: program)
    making, installing = peers._installing(Package("a", "1.0", "a[b]==1.0"), tmp_path / "a")
    assert str(tmp_path / "a") in making
    assert installing[-1] == "a[b]==1.0"
    assert str(tmp_path / "a" / "bin" / "python") in installing
    assert "index" not in " ".join(installing)


def test_routers_get_both_ports_and_let_everybody_in() -> None:
    """Each relays to the replica, and no limit of its own is what is measured."""
    for name in ("vllm-router", "sglang-router"):
        for target in peers.targets(Package(name, "1.0", f"{name}==1.0"), Path("bin")):
            assert target.command
            command = target.command(PLACE)
            assert command[0] == f"bin/{name}"
            assert command[command.index("--port") + 1] == "1001"
            assert command[command.index("--worker-urls") + 1] == "http://127.0.0.1:1002"
            assert int(command[command.index("--max-concurrent-requests") + 1]) > 10_000


def test_litellm_relays_the_model_to_the_replica(tmp_path: Path) -> None:
    """Its settings name model and replica, and it takes the key of the load client."""
    (target,) = peers.targets(Package("litellm", "1.0", "litellm==1.0"), tmp_path / "bin")
    assert target.command
    command = target.command(Place(port=1001, replica=1002, folder=tmp_path))
    (model,) = codec.loads(Path(command[command.index("--config") + 1]).read_bytes())["model_list"]
    assert model["model_name"] == canned.MODEL
    assert model["litellm_params"]["api_base"] == "http://127.0.0.1:1002/v1"
    assert target.environment["LITELLM_MASTER_KEY"] == canned.KEY


def test_an_unknown_package_is_no_target() -> None:
    """What nobody has described is not guessed."""
    assert list(peers.targets(Package("other", "1.0", "other==1.0"), Path())) == []


def test_an_installation_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that hangs holds up the comparison of the others for so long and no longer."""
    monkeypatch.setattr(peers, "_installing", lambda *_: [["sleep", "60"]])
    monkeypatch.setattr(peers, "INSTALL_S", 0.05)
    with pytest.raises(NotInstalled, match=r"a==1\.0 is not installed after"):
        peers.install(Package("a", "1.0", "a==1.0"), tmp_path)
