"""Where client keys are kept: the ways to keep the promise of `vllm_gateway.admission.keys.store.KeyStore`."""
