"""`python -m vllm_gateway` is the same as the `vllm-gateway` command."""

from vllm_gateway.cli import main

if __name__ == "__main__":
    main()
