"""Build the tiny model of the real-vLLM tests: a Llama of 3.4 million seeded random weights with its own tokenizer.

Run by `real_vllm_env.sh` with the Python of the real-vLLM environment, the only place where these libraries are.
The same machine always gives the same model, so that two replicas agree token for token at temperature 0.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from pydoc_data.topics import topics

import torch  # type: ignore[import-not-found]  # see above
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast  # type: ignore[import-not-found]  # see above

VOCABULARY_SIZE = 4000
CONTEXT_TOKENS = 4096
BEGIN, END, USER, ASSISTANT, SYSTEM = "<s>", "</s>", "<|user|>", "<|assistant|>", "<|system|>"
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def english_text() -> Iterator[str]:
    """Yield prose that every Python carries: the language reference that `help()` shows."""
    for name in sorted(topics):
        yield topics[name]


def trained_tokenizer() -> PreTrainedTokenizerFast:
    """Train a byte-level BPE, so that any text has tokens and a character may be cut between two of them."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=[BEGIN, END, USER, ASSISTANT, SYSTEM],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(english_text(), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BEGIN, eos_token=END, pad_token=END, chat_template=CHAT_TEMPLATE
    )


def seeded_model(vocabulary_size: int, *, begin_id: int, end_id: int) -> LlamaForCausalLM:
    """Return the model; its weights depend on nothing but the seed."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary_size,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=CONTEXT_TOKENS,
        bos_token_id=begin_id,
        eos_token_id=end_id,
    )
    return LlamaForCausalLM(config).to(torch.bfloat16)


def main() -> None:
    """Write the model and its tokenizer into the folder that is named on the command line."""
    folder = Path(sys.argv[1])
    tokenizer = trained_tokenizer()
    model = seeded_model(len(tokenizer), begin_id=tokenizer.bos_token_id, end_id=tokenizer.eos_token_id)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)


if __name__ == "__main__":
    main()
