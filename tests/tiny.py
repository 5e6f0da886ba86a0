"""Tiny real models of every family, and tiny data that they can learn, made in a folder."""

import hashlib
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

TEXT = "the a film plot cast was is good great fine bad poor dull very and not Ada Bob Paris Rome went to in"
WORDS = TEXT.split()
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SIZES = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48)
SIDE = 16  # pixels of a picture, as the image models see it
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def wordpiece() -> dict[str, int]:
    """A WordPiece vocabulary: the words, and every letter, so that other words come apart."""
    pieces = [
        *SPECIAL,
        *(word.lower() for word in WORDS),
        *LETTERS,
        *(f"##{letter}" for letter in LETTERS),
        *".,!?'-0123456789",
    ]
    return {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}


def byte_pairs(special: list[str]) -> tuple[dict[str, int], list[str]]:
    """A byte-level BPE vocabulary and merges, trained on the words."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([" ".join(WORDS)] * 4, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(merge) for merge in model["merges"]]


def unigrams() -> list[tuple[str, float]]:
    """A Unigram vocabulary with scores: the words behind a word mark, and every letter."""
    pieces = ["<pad>", "</s>", "<unk>"]
    scored = [(piece, 0.0) for piece in pieces]
    scored += [(f"\u2581{word}", -2.0) for word in WORDS]
    letters = dict.fromkeys(["\u2581", *LETTERS, *LETTERS.upper(), *".,!?'-0123456789"])
    return scored + [(letter, -6.0) for letter in letters]


def bert(folder: Path, **settings: Any) -> Path:
    from transformers import BertConfig, BertForMaskedLM, BertTokenizer

    config = BertConfig(vocab_size=len(wordpiece()), max_position_embeddings=64, **SIZES, **settings)
    return save(folder, BertForMaskedLM(config), BertTokenizer(vocab=wordpiece(), model_max_length=64))


def distilbert(folder: Path, **settings: Any) -> Path:
    from transformers import DistilBertConfig, DistilBertForMaskedLM, DistilBertTokenizer

    config = DistilBertConfig(
        vocab_size=len(wordpiece()),
        max_position_embeddings=64,
        dim=32,
        n_layers=2,
        n_heads=2,
        hidden_dim=48,
        **settings,
    )
    return save(
        folder, DistilBertForMaskedLM(config), DistilBertTokenizer(vocab=wordpiece(), model_max_length=64)
    )


def roberta(folder: Path, **settings: Any) -> Path:
    from transformers import RobertaConfig, RobertaForMaskedLM, RobertaTokenizer

    vocab, merges = byte_pairs(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    config = RobertaConfig(
        vocab_size=len(vocab),
        max_position_embeddings=66,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        **SIZES,
        **settings,
    )
    return save(folder, RobertaForMaskedLM(config), RobertaTokenizer(vocab=vocab, merges=merges))


def gpt2(folder: Path, **settings: Any) -> Path:
    from transformers import GPT2Config, GPT2LMHeadModel, GPT2Tokenizer

    vocab, merges = byte_pairs(["<|endoftext|>"])
    end = vocab["<|endoftext|>"]
    config = GPT2Config(
        vocab_size=len(vocab),
        n_positions=64,
        n_embd=32,
        n_layer=2,
        n_head=2,
        bos_token_id=end,
        eos_token_id=end,
        **settings,
    )
    return save(folder, GPT2LMHeadModel(config), GPT2Tokenizer(vocab=vocab, merges=merges))


def t5(folder: Path, **settings: Any) -> Path:
    from transformers import T5Config, T5ForConditionalGeneration, T5Tokenizer

    vocab = unigrams()
    config = T5Config(
        vocab_size=len(vocab),
        d_model=32,
        d_kv=16,
        d_ff=48,
        num_layers=2,
        num_heads=2,
        decoder_start_token_id=0,
        **settings,
    )
    return save(folder, T5ForConditionalGeneration(config), T5Tokenizer(vocab=vocab, extra_ids=0))


def vit(folder: Path, **settings: Any) -> Path:
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(image_size=SIDE, patch_size=4, **SIZES, **settings)
    return save(folder, ViTForImageClassification(config), squared())


def swin(folder: Path, **settings: Any) -> Path:
    from transformers import SwinConfig, SwinForImageClassification

    stages = dict(embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=2)
    config = SwinConfig(image_size=SIDE, patch_size=4, **stages, **settings)
    return save(folder, SwinForImageClassification(config), squared())


def convnext(folder: Path, **settings: Any) -> Path:
    from transformers import ConvNextConfig, ConvNextForImageClassification
    from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil

    stages = dict(num_stages=2, hidden_sizes=[16, 32], depths=[1, 1])
    config = ConvNextConfig(image_size=SIDE, patch_size=4, **stages, **settings)
    processor = ConvNextImageProcessorPil(size={"shortest_edge": SIDE})
    return save(folder, ConvNextForImageClassification(config), processor)


def dinov2(folder: Path, **settings: Any) -> Path:
    from transformers import Dinov2Config, Dinov2ForImageClassification
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

    sizes = {name: value for name, value in SIZES.items() if name != "intermediate_size"}
    config = Dinov2Config(image_size=SIDE, patch_size=4, mlp_ratio=2, **sizes, **settings)
    processor = BitImageProcessorPil(
        size={"shortest_edge": SIDE + 4}, crop_size={"height": SIDE, "width": SIDE}
    )
    return save(folder, Dinov2ForImageClassification(config), processor)


def squared() -> Any:
    """An image processor that resizes to a square."""
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    return ViTImageProcessorPil(size={"height": SIDE, "width": SIDE})


FAMILIES: dict[str, Callable[..., Path]] = {
    "bert": bert,
    "distilbert": distilbert,
    "roberta": roberta,
    "gpt2": gpt2,
    "t5": t5,
}
IMAGE_FAMILIES: dict[str, Callable[..., Path]] = {
    "vit": vit,
    "swin": swin,
    "convnext": convnext,
    "dinov2": dinov2,
}
NO_DROPOUT = {
    "vit": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    "swin": {"drop_path_rate": 0.0},
    "convnext": {"drop_path_rate": 0.0},
    "dinov2": {"drop_path_rate": 0.0},
    "bert": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    "distilbert": {"dropout": 0.0, "attention_dropout": 0.0, "seq_classif_dropout": 0.0},
    "roberta": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    "gpt2": {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "classifier_dropout": 0.0},
    "t5": {"dropout_rate": 0.0, "classifier_dropout": 0.0},
}


def save(folder: Path, model: Any, processor: Any = None) -> Path:
    """Write a checkpoint's folder."""
    model.save_pretrained(folder)
    if processor is not None:
        processor.save_pretrained(folder)
    return folder


def reviews(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    """Reviews whose label follows from one word, in sentences of different lengths."""
    good, bad = ["good", "great", "fine"], ["bad", "poor", "dull"]
    rows = []
    for i in range(start, start + count):
        word = (good if i % 2 else bad)[i // 2 % 3]
        filler = " ".join(WORDS[:3][j % 3] for j in range(1 + i * 7 % 11))
        rows.append(
            {"id": f"r{i}", "text": f"{filler} was {word}", "label": "positive" if i % 2 else "negative"}
        )
    return rows


def sentences(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    """Sentences with persons and places, of different lengths."""
    people, places = ["Ada", "Bob"], ["Paris", "Rome"]
    rows = []
    for i in range(start, start + count):
        filler = ["the", "film", "was", "fine", "and"][: i % 6]
        tokens = [
            *filler,
            people[i % 2],
            "went",
            "to",
            places[i // 2 % 2],
            *(["in", "Rome"] if i % 5 == 0 else []),
        ]
        tags = ["O"] * len(filler) + ["B-PER", "O", "O", "B-LOC"] + (["O", "B-LOC"] if i % 5 == 0 else [])
        rows.append({"tokens": tokens, "ner_tags": tags})
    return rows


def pictures(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    """Noisy pictures of different sizes, whose label is their strongest colour."""
    import numpy as np

    rows = []
    for i in range(start, start + count):
        random = np.random.default_rng(i)
        pixels = random.integers(0, 120, (14 + i % 5, 22 - i % 3, 3))
        pixels[..., 0 if i % 2 else 2] += 120
        rows.append({"id": f"p{i}", "image": png(pixels), "label": "red" if i % 2 else "blue"})
    return rows


def png(pixels: Any) -> bytes:
    """A PNG file of an array, shape (height, width, 3) or, grey, (height, width)."""
    import numpy as np
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(file, "PNG")
    return file.getvalue()


DATA = {
    "text-classification": reviews,
    "token-classification": sentences,
    "image-classification": pictures,
}
CELLS = [
    (task, family)
    for task in DATA
    for family in (IMAGE_FAMILIES if task == "image-classification" else FAMILIES)
]


def write_jsonl(path: Path, rows: Iterable[Any]) -> Path:
    """Write rows as JSON lines; bytes become a file beside, and its name."""
    path.parent.mkdir(parents=True, exist_ok=True)

    def named(content: bytes) -> str:
        name = f"{hashlib.sha256(content).hexdigest()[:16]}.png"
        (path.parent / name).write_bytes(content)
        return name

    path.write_text("".join(json.dumps(row, default=named) + "\n" for row in rows))
    return path


def dataset(folder: Path, task: str, *, train: int = 48, others: int = 12) -> Path:
    """A folder of train, validation and test files."""
    make = DATA[task]
    write_jsonl(folder / "train.jsonl", make(train))
    write_jsonl(folder / "validation.jsonl", make(others, start=train))
    write_jsonl(folder / "test.jsonl", make(others, start=train + others))
    return folder


def recipe(path: Path, task: str, model: Path, data: Path, **train: Any) -> Path:
    """A recipe file for tiny things: fp32, a high learning rate, few steps."""
    settings = {
        "epochs": 2,
        "batch_size": 8,
        "learning_rate": 3e-3,
        "precision": "fp32",
        "log_every": 2,
    } | train
    if "steps" in train:
        del settings["epochs"]
    lines = [f"task: {task}", f"model: {model}", f"data: {data}", "train:"]
    lines += [f"  {key}: {'null' if value is None else value}" for key, value in settings.items()]
    path.write_text("\n".join(lines) + "\n")
    return path
