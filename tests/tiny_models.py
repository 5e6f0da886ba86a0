"""Tiny real models of every family with their tokenizers and image processors, made in a folder."""

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


def unigrams(pieces: Iterable[str] = ("<pad>", "</s>", "<unk>")) -> list[tuple[str, float]]:
    """A Unigram vocabulary with scores: the words behind a word mark, and every letter."""
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
    from transformers import T5Config, T5ForConditionalGeneration

    return encoder_decoder(folder, T5Config, T5ForConditionalGeneration, settings)


def mt5(folder: Path, **settings: Any) -> Path:
    from transformers import MT5Config, MT5ForConditionalGeneration

    return encoder_decoder(folder, MT5Config, MT5ForConditionalGeneration, settings)


def encoder_decoder(folder: Path, make_config: Any, make_model: Any, settings: dict[str, Any]) -> Path:
    """A checkpoint of T5's kind."""
    from transformers import T5Tokenizer

    vocab = unigrams()
    config = make_config(
        vocab_size=len(vocab),
        d_model=32,
        d_kv=16,
        d_ff=48,
        num_layers=2,
        num_heads=2,
        decoder_start_token_id=0,
        **settings,
    )
    return save(folder, make_model(config), T5Tokenizer(vocab=vocab, extra_ids=0))


def electra(folder: Path, **settings: Any) -> Path:
    from transformers import ElectraConfig, ElectraForPreTraining, ElectraTokenizer

    config = ElectraConfig(
        vocab_size=len(wordpiece()), embedding_size=32, max_position_embeddings=64, **SIZES, **settings
    )
    return save(
        folder, ElectraForPreTraining(config), ElectraTokenizer(vocab=wordpiece(), model_max_length=64)
    )


def deberta(folder: Path, **settings: Any) -> Path:
    from transformers import DebertaV2Config, DebertaV2ForMaskedLM, DebertaV2Tokenizer

    vocab = unigrams(["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"])
    config = DebertaV2Config(  # as in version 3: relative positions, shared by keys and queries
        vocab_size=len(vocab),
        max_position_embeddings=64,
        type_vocab_size=0,
        relative_attention=True,
        position_buckets=16,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type="p2c|c2p",
        position_biased_input=False,
        **SIZES,
        **settings,
    )
    return save(folder, DebertaV2ForMaskedLM(config), DebertaV2Tokenizer(vocab=vocab, unk_id=3))


def modernbert(folder: Path, **settings: Any) -> Path:
    from transformers import (
        BertTokenizer,
        ModernBertConfig,
        ModernBertForMaskedLM,
        PreTrainedTokenizerFast,
    )

    config = ModernBertConfig(
        vocab_size=len(wordpiece()),
        max_position_embeddings=64,
        local_attention=16,
        pad_token_id=0,
        cls_token_id=2,
        sep_token_id=3,
        bos_token_id=2,
        eos_token_id=3,
        **SIZES,
        **settings,
    )
    bert_like = BertTokenizer(vocab=wordpiece())
    words = {name: value for name, value in bert_like.special_tokens_map.items() if isinstance(value, str)}
    tokenizer = PreTrainedTokenizerFast(  # gives no segment ids, as the real one
        tokenizer_object=bert_like.backend_tokenizer,
        model_input_names=["input_ids", "attention_mask"],
        model_max_length=64,
        **words,
    )
    return save(folder, ModernBertForMaskedLM(config), tokenizer)


def llama(folder: Path, **settings: Any) -> Path:
    from transformers import GPT2Tokenizer, LlamaConfig, LlamaForCausalLM

    vocab, merges = byte_pairs(["<|endoftext|>"])
    end = vocab["<|endoftext|>"]
    config = LlamaConfig(
        vocab_size=len(vocab),
        num_key_value_heads=1,
        max_position_embeddings=64,
        bos_token_id=end,
        eos_token_id=end,
        tie_word_embeddings=True,
        **SIZES,
        **settings,
    )
    return save(folder, LlamaForCausalLM(config), GPT2Tokenizer(vocab=vocab, merges=merges))


def qwen(folder: Path, **settings: Any) -> Path:
    from transformers import Qwen2Tokenizer, Qwen3Config, Qwen3ForCausalLM

    vocab, merges = byte_pairs(["<|endoftext|>"])
    end = vocab["<|endoftext|>"]
    config = Qwen3Config(
        vocab_size=len(vocab),
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=64,
        bos_token_id=end,
        eos_token_id=end,
        **SIZES,
        **settings,
    )
    return save(folder, Qwen3ForCausalLM(config), Qwen2Tokenizer(vocab=vocab, merges=merges))


def bart(folder: Path, **settings: Any) -> Path:
    from transformers import BartConfig, BartForConditionalGeneration, BartTokenizer

    vocab, merges = byte_pairs(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    config = BartConfig(
        vocab_size=len(vocab),
        max_position_embeddings=64,
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=2,
        forced_eos_token_id=2,
        **settings,
    )
    return save(folder, BartForConditionalGeneration(config), BartTokenizer(vocab=vocab, merges=merges))


SIDES = (
    dict(  # of an encoder-decoder whose two halves are alike, with weights that a few steps can tell apart
        init_std=0.1,
        scale_embedding=True,
        max_position_embeddings=64,
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
    )
)


def sentence_pieces(file: Path) -> list[str]:
    """Write a SentencePiece model of the words and letters; returns its pieces."""
    import sentencepiece

    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        " ".join(WORDS),
        *WORDS,
        *(f"{letter} {letter.upper()}" for letter in LETTERS),
        ".,!?'-",
        *"0123456789",
    ]
    with file.open("wb") as model:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines * 4),
            model_writer=model,
            vocab_size=200,
            model_type="bpe",
            character_coverage=1.0,
            hard_vocab_limit=False,
            minloglevel=2,
        )
    trained = sentencepiece.SentencePieceProcessor(model_file=str(file))
    return [trained.id_to_piece(i) for i in range(trained.get_piece_size())]


def marian(folder: Path, **settings: Any) -> Path:
    """A checkpoint with two SentencePiece models, one vocabulary, and fixed positions."""
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    sides = [sentence_pieces(folder / f"{side}.spm") for side in ("source", "target")]
    pieces = dict.fromkeys(["</s>", "<unk>", *sides[0], *sides[1], "<pad>"])
    vocab = {piece: i for i, piece in enumerate(piece for piece in pieces if piece != "<s>")}
    (folder / "vocab.json").write_text(json.dumps(vocab))
    config = MarianConfig(
        vocab_size=len(vocab),
        pad_token_id=vocab["<pad>"],
        eos_token_id=0,
        decoder_start_token_id=vocab["<pad>"],
        **SIDES,
        **settings,
    )
    model = MarianMTModel(config)
    model.generation_config.update(bad_words_ids=[[vocab["<pad>"]]], forced_eos_token_id=0, num_beams=4)
    files = [str(folder / name) for name in ("source.spm", "target.spm", "vocab.json")]
    return save(folder, model, MarianTokenizer(*files, model_max_length=64))


def mbart(folder: Path, **settings: Any) -> Path:
    """A checkpoint whose decoder begins with the code of a language."""
    from transformers import MBartConfig, MBartForConditionalGeneration, MBartTokenizer

    vocab = unigrams(["<s>", "<pad>", "</s>", "<unk>"])
    tokenizer = MBartTokenizer(vocab=vocab, src_lang="en_XX", tgt_lang="de_DE")
    config = MBartConfig(vocab_size=len(tokenizer), **SIDES, **settings)
    return save(folder, MBartForConditionalGeneration(config), tokenizer)


def m2m_100(folder: Path, **settings: Any) -> Path:
    """A checkpoint as NLLB's, which begins every text with the code of its language."""
    from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer

    vocab, merges = byte_pairs(["<s>", "<pad>", "</s>", "<unk>"])
    marked = {piece.replace("\u0120", "\u2581"): i for piece, i in vocab.items()}
    merges = [(a.replace("\u0120", "\u2581"), b.replace("\u0120", "\u2581")) for a, b in merges]
    codes = ["eng_Latn", "deu_Latn", "zho_Hans"]
    tokenizer = NllbTokenizer(
        vocab=marked, merges=merges, src_lang="eng_Latn", tgt_lang="deu_Latn", extra_special_tokens=codes
    )
    config = M2M100Config(vocab_size=len(tokenizer), **SIDES, **settings)
    return save(folder, M2M100ForConditionalGeneration(config), tokenizer)


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


def resnet(folder: Path, **settings: Any) -> Path:
    from transformers import ResNetConfig, ResNetForImageClassification

    config = ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", **settings
    )
    return save(folder, ResNetForImageClassification(config), squared())


def mobilevit(folder: Path, **settings: Any) -> Path:
    from transformers import MobileViTConfig, MobileViTForImageClassification

    sizes = dict(hidden_sizes=[8, 12, 16], neck_hidden_sizes=[4, 4, 8, 8, 8, 8, 16], num_attention_heads=2)
    config = MobileViTConfig(image_size=SIDE, patch_size=2, output_stride=32, **sizes, **settings)
    return save(folder, MobileViTForImageClassification(config), squared())


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
    "electra": electra,
    "deberta-v2": deberta,
    "modernbert": modernbert,
    "gpt2": gpt2,
    "llama": llama,
    "qwen3": qwen,
    "t5": t5,
    "mt5": mt5,
    "bart": bart,
    "mbart": mbart,
    "marian": marian,
    "m2m_100": m2m_100,
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
    "distilbert": {"dropout": 0.0, "attention_dropout": 0.0, "seq_classif_dropout": 0.0, "qa_dropout": 0.0},
    "roberta": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    "gpt2": {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "classifier_dropout": 0.0},
    "t5": {"dropout_rate": 0.0, "classifier_dropout": 0.0},
    "electra": {
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "summary_last_dropout": 0.0,
    },
    "deberta-v2": {
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "pooler_dropout": 0.0,
        "cls_dropout": 0.0,
    },
    "modernbert": {
        "attention_dropout": 0.0,
        "mlp_dropout": 0.0,
        "embedding_dropout": 0.0,
        "classifier_dropout": 0.0,
    },
    "llama": {"classifier_dropout": 0.0},
    "qwen3": {"classifier_dropout": 0.0},
    "mt5": {"dropout_rate": 0.0, "classifier_dropout": 0.0},
    "bart": {"dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0, "classifier_dropout": 0.0},
    "mbart": {"dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0, "classifier_dropout": 0.0},
    "marian": {"dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0},
    "m2m_100": {
        "dropout": 0.0,
        "attention_dropout": 0.0,
        "activation_dropout": 0.0,
        "encoder_layerdrop": 0.0,
        "decoder_layerdrop": 0.0,
    },
}


def save(folder: Path, model: Any, processor: Any = None) -> Path:
    """Write a checkpoint's folder."""
    model.save_pretrained(folder)
    if processor is not None:
        processor.save_pretrained(folder)
    return folder
