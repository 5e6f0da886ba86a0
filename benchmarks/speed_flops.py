"""Useful floating-point operations of a training step, and what the machine's matrix products can reach.

Counted is the work that real tokens need: padding is waste, and what is computed a second time counts once. A
product with a weight costs 2 operations for each token forward and 4 backward, attention 12 for each pair of
tokens and number of the width. Left out are embeddings, norms, and heads of a few labels.
"""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

FORWARD_AND_BACKWARD, BACKWARD_OF_WEIGHTS_ALONE, PAIRS = 6, 4, 12
ROWS, INNER, COLUMNS = 1024, 768, 3072  # of the product that the ceiling is measured with
TOLERANCE = 0.02  # by which the formula may differ from torch's count
CEILING_SECONDS, WARM = 3.0, 20

Config = dict[str, Any]
Lengths = Sequence[tuple[int, int]]  # of each window: tokens read, and tokens learned where the model writes


def read_config(folder: Path) -> Config:
    """The configuration of a checkpoint, as its file says it."""
    return dict(json.loads((folder / "config.json").read_text()))


def useful_flops(config: Config, lengths: Lengths, *, whole: bool = False) -> float:
    """The operations of training on windows once; `whole` counts causal attention as if it saw everything."""
    return float(FAMILIES[config["model_type"]](config, lengths, whole))


def encoder(config: Config, lengths: Lengths, whole: bool) -> float:
    """BERT, and what is built alike."""
    width = config["hidden_size"]
    weights = 4 * width * width + 2 * width * config["intermediate_size"]
    tokens, pairs = sum(read for read, _ in lengths), sum(read**2 for read, _ in lengths)
    return float(
        config["num_hidden_layers"] * (FORWARD_AND_BACKWARD * weights * tokens + PAIRS * width * pairs)
    )


def pictures(config: Config, lengths: Lengths, whole: bool) -> float:
    """ViT: an encoder, and the product that makes a token of each patch; pixels need no gradient."""
    patch = config["num_channels"] * config["patch_size"] ** 2 * config["hidden_size"]
    patches = sum(read - 1 for read, _ in lengths)  # all tokens but the one for the class
    return encoder(config, lengths, whole) + float(BACKWARD_OF_WEIGHTS_ALONE * patch * patches)


def decoder(config: Config, lengths: Lengths, whole: bool) -> float:
    """Llama, and what is built alike: a token sees those before it; logits where there is a target."""
    width, heads = config["hidden_size"], config["num_attention_heads"]
    size = config.get("head_dim") or width // heads
    keys = config["num_key_value_heads"] * size
    weights = 2 * width * heads * size + 2 * width * keys + 3 * width * config["intermediate_size"]
    tokens, pairs = sum(read for read, _ in lengths), sum(read**2 for read, _ in lengths)
    attention = PAIRS * heads * size * pairs / (1 if whole else 2)
    head = FORWARD_AND_BACKWARD * width * config["vocab_size"] * sum(learned for _, learned in lengths)
    return float(config["num_hidden_layers"] * (FORWARD_AND_BACKWARD * weights * tokens + attention) + head)


def encoder_decoder(config: Config, lengths: Lengths, whole: bool) -> float:
    """T5 without gates: the decoder's cross-attention reads every token of the encoder."""
    width, inner = config["d_model"], config["num_heads"] * config["d_kv"]
    read, written = sum(source for source, _ in lengths), sum(target for _, target in lengths)
    feed = 2 * width * config["d_ff"]
    of_read = config["num_layers"] * (4 * width * inner + feed) + config["num_decoder_layers"] * (
        2 * width * inner  # the keys and values that the decoder looks at
    )
    of_written = config["num_decoder_layers"] * (6 * width * inner + feed) + width * config["vocab_size"]
    causal = 1 if whole else 2
    pairs = config["num_layers"] * sum(source**2 for source, _ in lengths)
    pairs += config["num_decoder_layers"] * sum(
        target**2 / causal + source * target for source, target in lengths
    )
    return float(FORWARD_AND_BACKWARD * (of_read * read + of_written * written) + PAIRS * inner * pairs)


FAMILIES: dict[str, Callable[[Config, Lengths, bool], float]] = {
    "bert": encoder,
    "vit": pictures,
    "llama": decoder,
    "t5": encoder_decoder,
}


def ceiling() -> float:
    """Operations per second of one large bf16 product, with torch's own number of threads."""
    import torch

    a, b = (torch.randn(shape, dtype=torch.bfloat16) for shape in ((ROWS, INNER), (INNER, COLUMNS)))
    seconds = []
    for _ in range(WARM):
        a @ b
    until = time.perf_counter() + CEILING_SECONDS
    while time.perf_counter() < until:
        start = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - start)
    return 2 * ROWS * INNER * COLUMNS / statistics.median(seconds)


def check_formula() -> None:
    """Hold the formula against torch's own count, on a step without padding of a small model of each family.

    Raises:
        SystemExit: they differ by more than the tolerance.
    """
    for family, make in SMALL.items():
        model, inputs, lengths = make()
        config = json.loads(model.config.to_json_string(use_diff=False))
        counted, formula = count(model, inputs), useful_flops(config, lengths, whole=True)
        difference = formula / counted - 1
        print(f"{family:<6} formula {formula:.4g}, torch counts {counted:.4g}: {difference:+.2%}")
        if abs(difference) > TOLERANCE:
            raise SystemExit(f"{family}: the formula is wrong")


def count(model: Any, inputs: dict[str, Any]) -> int:
    """What torch counts in a forward and backward."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        model(**inputs).loss.backward()
    return int(counter.get_total_flops())


def small_bert() -> tuple[Any, dict[str, Any], Lengths]:
    """Two rows of 50 tokens."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(num_hidden_layers=2, attn_implementation="eager")
    inputs = {"input_ids": torch.randint(5, 999, (2, 50)), "labels": torch.zeros(2, dtype=torch.long)}
    return BertForSequenceClassification(config), inputs, [(50, 0)] * 2


def small_vit() -> tuple[Any, dict[str, Any], Lengths]:
    """Two pictures of 64 x 64 in 16 patches."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(image_size=64, num_hidden_layers=2, attn_implementation="eager")
    inputs = {"pixel_values": torch.randn(2, 3, 64, 64), "labels": torch.zeros(2, dtype=torch.long)}
    return ViTForImageClassification(config), inputs, [(17, 0)] * 2


def small_llama() -> tuple[Any, dict[str, Any], Lengths]:
    """Two rows of 50 tokens, each learned."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    size = {"hidden_size": 192, "intermediate_size": 512, "num_hidden_layers": 2}
    config = LlamaConfig(
        **size,
        vocab_size=999,
        num_attention_heads=6,
        num_key_value_heads=2,
        attn_implementation="eager",
        use_cache=False,
    )
    ids = torch.randint(5, 999, (2, 50))
    return LlamaForCausalLM(config), {"input_ids": ids, "labels": ids}, [(50, 50)] * 2


def small_t5() -> tuple[Any, dict[str, Any], Lengths]:
    """Two rows of 60 tokens read and 20 written."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=999,
        num_layers=2,
        num_decoder_layers=3,
        decoder_start_token_id=0,
        attn_implementation="eager",
    )
    inputs = {"input_ids": torch.randint(5, 999, (2, 60)), "labels": torch.randint(5, 999, (2, 20))}
    return T5ForConditionalGeneration(config), inputs, [(60, 20)] * 2


SMALL: dict[str, Callable[[], tuple[Any, dict[str, Any], Lengths]]] = {
    "bert": small_bert,
    "vit": small_vit,
    "llama": small_llama,
    "t5": small_t5,
}
