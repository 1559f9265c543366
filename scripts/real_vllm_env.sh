#!/usr/bin/env bash
# Build what the real-vLLM tests need: an environment with vLLM for the CPU (3.4 GB) and a tiny model beside it.
#
#   scripts/real_vllm_env.sh           build what is missing; at once when nothing is
#   scripts/real_vllm_env.sh --where   only print the folder: its env/ has the Python, its model/ the model
#
# VLLM_GATEWAY_REAL_ENV    the folder; default: ~/.cache/vllm-gateway/real-vllm-0.32.0
# VLLM_GATEWAY_TORCH_INDEX a package index with PyTorch's CPU builds, for where pip would take a CUDA build
# PYTHON                   the Python to build with, 3.11 or newer; default: python3
set -euo pipefail

torch="torch==2.13.0"
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
requirements="$here/real_vllm_requirements.txt"
root="${VLLM_GATEWAY_REAL_ENV:-${XDG_CACHE_HOME:-$HOME/.cache}/vllm-gateway/real-vllm-0.32.0}"
python="${PYTHON:-python3}"

fail() {
    echo "real_vllm_env.sh: $1" >&2
    exit 1
}

torch_index() {
    if [[ -n "${VLLM_GATEWAY_TORCH_INDEX:-}" ]]; then
        echo "--extra-index-url=$VLLM_GATEWAY_TORCH_INDEX"
    fi
}

# The newest torch of the usual index brings several GB of CUDA libraries: look at what pip would take before it does.
refuse_cuda_torch() {
    local report="$root/torch.json"
    "$root/env/bin/pip" install -qq --dry-run --no-deps --ignore-installed --report "$report" $(torch_index) "$torch" ||
        fail "pip finds no $torch: set VLLM_GATEWAY_TORCH_INDEX to a package index that has PyTorch's CPU builds."
    "$root/env/bin/python" - "$report" <<'PYTHON' ||
import json, re, sys
found = json.load(open(sys.argv[1]))["install"][0]["metadata"]
sys.exit(any(re.match(r"nvidia|cuda|triton", name) for name in found.get("requires_dist", [])))
PYTHON
        fail "pip would take a CUDA build of $torch (several GB): set VLLM_GATEWAY_TORCH_INDEX to a package index that has PyTorch's CPU builds."
}

build_env() {
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$python is older than Python 3.11: set PYTHON to a newer one."
    rm -rf "$root/env" "$root/env.stamp"
    "$python" -m venv "$root/env"
    "$root/env/bin/pip" install -qq "pip==26.3"
    refuse_cuda_torch
    # Everything is pinned, so nothing is resolved: resolving would bring torchvision back (see the requirements).
    "$root/env/bin/pip" install -qq --no-deps $(torch_index) --requirement "$requirements"
    "$root/env/bin/python" -c 'import torch; assert torch.version.cuda is None; import transformers'
}

build_model() {
    rm -rf "$root/model" "$root/model.stamp"
    HF_HUB_OFFLINE=1 "$root/env/bin/python" "$here/real_vllm_model.py" "$root/model"
}

# built STAMP FILE... : true when the stamp, which is written last, was made from these very files.
built() {
    local stamp="$1"
    shift
    [[ -f "$stamp" && "$(cat "$stamp")" == "$(cat "$@" | cksum)" ]]
}

if [[ "${1:-}" == "--where" ]]; then
    echo "$root"
    exit 0
fi
mkdir -p "$root"
exec 9>"$root/lock"
flock 9 # a second run waits for the first, and then finds everything built
if [[ ! -x "$root/env/bin/python" ]] || ! built "$root/env.stamp" "$requirements"; then
    echo "Building a vLLM environment in $root (3.4 GB, some minutes) ..." >&2
    build_env
    cksum <"$requirements" >"$root/env.stamp"
fi
if ! built "$root/model.stamp" "$requirements" "$here/real_vllm_model.py"; then
    echo "Building the tiny model in $root/model ..." >&2
    build_model
    cat "$requirements" "$here/real_vllm_model.py" | cksum >"$root/model.stamp"
fi
echo "$root"
