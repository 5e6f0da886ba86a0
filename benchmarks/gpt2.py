"""A small GPT-2 with random weights and a tokenizer of the text it will learn, without a download.

    python benchmarks/gpt2.py FOLDER TEXT.txt
    tunekit finetune text-generation model=FOLDER data=TEXTS task.max_length=256 \\
        train.epochs=5 train.batch_size=16 train.learning_rate=1e-3 train.weight_decay=0.1
"""

import sys
from pathlib import Path

PIECES, POSITIONS, WIDTH, LAYERS, HEADS = 2048, 256, 256, 6, 8
END = "<|endoftext|>"


def write(folder: Path, text: Path) -> int:
    """Write a checkpoint and its byte-level tokenizer, and return how many parameters it has."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import GPT2Config, GPT2LMHeadModel, GPT2TokenizerFast, set_seed

    trained = ByteLevelBPETokenizer()
    trained.train([str(text)], vocab_size=PIECES, special_tokens=[END], show_progress=False)
    tokenizer = GPT2TokenizerFast(tokenizer_object=trained._tokenizer, bos_token=END, eos_token=END)
    set_seed(0)
    end = tokenizer.eos_token_id
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=POSITIONS,
        n_embd=WIDTH,
        n_layer=LAYERS,
        n_head=HEADS,
        bos_token_id=end,
        eos_token_id=end,
    )
    model = GPT2LMHeadModel(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return sum(p.numel() for p in model.parameters())


def main(folder: Path, text: Path) -> None:
    """Write a checkpoint of 6 layers of 256 for a text, and say how large it is."""
    print(f"{folder}: {write(folder, text):,} parameters")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
