"""Write `deploy/.env.example`: the variables of Compose and of the gateway, each explained.

python -m scripts.env_example
"""

from pathlib import Path

from vllm_gateway.settings.pages.variables import environment_file

PLACE = Path(__file__).parents[1] / "deploy" / ".env.example"

COMPOSE = """\
# Copy this file to deploy/.env, where Compose and the gateway read it. Nothing in it has to be set.

# What runs: sim (the embedded engine), gpu, cpu or folder (vLLM); beside one of them redis, monitoring, ui.
COMPOSE_PROFILES=sim

# --- the model: profiles gpu and cpu ---

# Id of the model on the hub, and the name that clients use; that of the model where none is given.
#MODEL=Qwen/Qwen3-0.6B
#SERVED_MODEL_NAME=

# Token of the hub, for models that ask for one, and the folder where models are kept on this machine.
#HF_TOKEN=
#HF_HOME=

# Longest prompt and answer together; accelerators that hold the model together; accelerators that the container sees.
#MAX_MODEL_LEN=8192
#TP_SIZE=1
#GPU_COUNT=1

# Further arguments of vLLM, and GiB of the CPU's KV cache.
#VLLM_ARGS=
#VLLM_CPU_KVCACHE_SPACE=4

# Folder with a model that is never downloaded: profile folder.
#MODEL_FOLDER=./model

# A vLLM that runs elsewhere, in place of all these profiles.
#VLLM_URL=http://engine:8000/v1

# --- where it is reached ---

# Address and port of this machine. 0.0.0.0 opens the gateway to the network: set GATEWAY_AUTH__MODE=keys then.
#VLLM_GATEWAY_BIND=127.0.0.1
#VLLM_GATEWAY_PUBLISHED_PORT=8080
#PROMETHEUS_PORT=9090
#GRAFANA_PORT=3000
#OPEN_WEBUI_PORT=3001

# Password of Grafana's user admin; it asks for another one at the first login.
#GRAFANA_PASSWORD=admin

# Key that Open WebUI sends, where the gateway asks for keys.
#OPEN_WEBUI_GATEWAY_KEY=none

# --- images; pin them by digest (name@sha256:...) for a deployment that must not change ---
#VLLM_GATEWAY_IMAGE=vllm-gateway:local
#VLLM_GATEWAY_TARGET=slim
#VLLM_IMAGE=vllm/vllm-openai:v0.32.0
#VLLM_CPU_IMAGE=vllm/vllm-openai-cpu:v0.32.0
#REDIS_IMAGE=valkey/valkey:8.1-alpine
#PROMETHEUS_IMAGE=prom/prometheus:v3.5.0
#GRAFANA_IMAGE=grafana/grafana:12.2.0
#OPEN_WEBUI_IMAGE=ghcr.io/open-webui/open-webui:v0.6.36

# With the profile redis: GATEWAY_STATE__REDIS_URL=redis://redis:6379/0, and what is to be kept there, for example
# GATEWAY_SESSION__BACKEND=redis and GATEWAY_LIMITS__BACKEND=redis.

"""


def text() -> str:
    """Return the whole file."""
    return COMPOSE + environment_file()


if __name__ == "__main__":
    PLACE.write_text(text(), encoding="utf-8")
    print(f"wrote {PLACE}")
