"""`vllm-gateway chat`."""

from pathlib import Path

from cyclopts import CycloptsError


def chat(
    *,
    url: str | None = None,
    api_key: str | None = None,
    model: str | None = None,
    session: str | None = None,
    system: str | None = None,
    profile: str | None = None,
    theme: str | None = None,
) -> int:
    """Chat in the terminal. Conversations are kept by the gateway, so they go on anywhere; F1 shows the keys.

    Needs: pip install 'vllm-gateway[tui]'

    For example: vllm-gateway chat --url http://127.0.0.1:8080

    Where it was left: vllm-gateway chat --session last

    With what an example file says: vllm-gateway chat --profile chat.example.json

    Args:
        url: Address of the gateway. [env: VLLM_GATEWAY_URL] [default: http://127.0.0.1:8080]
        api_key: Key that the gateway wants. [env: VLLM_GATEWAY_API_KEY]
        model: Model that shall answer. [default: the gateway's]
        session: Id of a conversation that goes on; last is the youngest.
        system: What the model is told first in new conversations.
        profile: Name of a profile in terminal.toml, or a JSON file with one.
        theme: Colours: system, terminal, or the name of a theme.

    Returns:
        The exit status.
    """
    from dataclasses import replace  # noqa: PLC0415 - keeps --help quick

    from vllm_gateway.terminal.chat import Wishes, run  # noqa: PLC0415 - as above
    from vllm_gateway.terminal.profile_file import read_profile_file  # noqa: PLC0415 - as above
    from vllm_gateway.terminal.settings import Profile, SettingsMistaken, load_settings, over  # noqa: PLC0415 - as above

    try:
        settings = load_settings(url=url, api_key=api_key)
        if profile is not None and profile.endswith(".json"):
            settings, named = read_profile_file(Path(profile), settings, url=url, api_key=api_key)
        else:
            named = settings.named(profile)
        if theme is not None:
            settings = replace(settings, color_theme=theme)
        settings.target()
    except (SettingsMistaken, ValueError) as mistake:
        raise CycloptsError(msg=str(mistake)) from mistake
    return run(Wishes(settings, over(Profile(model, system), named), session))
