"""Clients that people talk in: Open WebUI, LibreChat, aichat, llm."""

from pathlib import PurePosixPath

from vllm_gateway.connect.place import Place
from vllm_gateway.connect.snippet import Snippet, as_yaml


def open_webui(place: Place) -> Snippet:
    """Return the environment of Open WebUI."""
    text = (
        f"OPENAI_API_BASE_URL={place.v1}\n"
        f"OPENAI_API_KEY=${{{place.key_variable}}}\n"
        f"DEFAULT_MODELS={place.model}\n"
        "ENABLE_OLLAMA_API=false\n"
        "ENABLE_FORWARD_USER_INFO_HEADERS=true\n"
    )
    notes = (
        (
            "With Compose: environment of the service, or --env-file. In a container 127.0.0.1 is that container: "
            "use the name of the gateway's service, or host.docker.internal."
        ),
        "The last line lets conversations go where they were last (X-OpenWebUI-Chat-Id).",
    )
    return Snippet(text, "Open WebUI: its environment", PurePosixPath("open-webui.env"), notes)


def librechat(place: Place) -> Snippet:
    """Return an endpoint of LibreChat."""
    endpoint = {
        "name": "vllm-gateway",
        "apiKey": f"${{{place.key_variable}}}",
        "baseURL": place.v1,
        "models": {"default": [place.model], "fetch": True},
        "titleConvo": True,
        "titleModel": "current_model",
        "modelDisplayLabel": "vllm-gateway",
    }
    text = as_yaml({"version": "1.2.8", "cache": True, "endpoints": {"custom": [endpoint]}})
    note = f"Put the key into LibreChat's .env: {place.key_variable}=..."
    return Snippet(text, "LibreChat: its settings", PurePosixPath("librechat.yaml"), (note,))


def aichat(place: Place) -> Snippet:
    """Return the settings of aichat; its client is named so that the variable of its key can be exported."""
    client = {
        "type": "openai-compatible",
        "name": "vllm_gateway",
        "api_base": place.v1,
        "models": [{"name": place.model, "max_input_tokens": place.context_tokens}],
    }
    text = as_yaml({"model": f"vllm_gateway:{place.model}", "clients": [client]})
    note = "aichat reads the key from VLLM_GATEWAY_API_KEY; without keys any value will do."
    return Snippet(text, "aichat: its settings", PurePosixPath("~/.config/aichat/config.yaml"), (note,))


def llm(place: Place) -> Snippet:
    """Return a model of `llm`."""
    model = {
        "model_id": "vllm-gateway",
        "model_name": place.model,
        "api_base": place.v1,
        "api_key_name": "vllm-gateway",
        "can_stream": True,
    }
    notes = (
        f'Give it the key: llm keys set vllm-gateway --value "${place.key_variable}"',
        "Then: llm -m vllm-gateway 'Hello'. On a Mac the folder is ~/Library/Application Support/io.datasette.llm.",
    )
    file = PurePosixPath("~/.config/io.datasette.llm/extra-openai-models.yaml")
    return Snippet(as_yaml([model]), "llm: a model of its own", file, notes)
