"""Answers of saved models as somebody without tunekit would get them; run as a script of its own.

python plain.py jobs.json      each job is name, folder, Auto class, a file of rows, options
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
from PIL import Image

Row = dict[str, Any]


def label_of_text(model: Any, folder: str, row: Row, options: Row) -> str:
    """The likeliest label."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    best = model(**tokenizer(row["text"], return_tensors="pt")).logits[0].argmax(-1)
    return str(model.config.id2label[int(best)])


def labels_of_words(model: Any, folder: str, row: Row, options: Row) -> list[str]:
    """The likeliest label of each word's first token."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    encoded = tokenizer(row["tokens"], is_split_into_words=True, return_tensors="pt")
    best, first = model(**encoded).logits[0].argmax(-1), dict[int, str]()
    for position, word in enumerate(encoded.word_ids(0)):
        if word is not None and word not in first:
            first[word] = model.config.id2label[int(best[position])]
    return [first[word] for word in range(len(row["tokens"]))]


def given(row: Row, options: Row) -> str:
    """What is given to a model that writes: the first text of a row, behind a prefix."""
    return str(options.get("prefix", "") + next(iter(row.values())))


def written_for_text(model: Any, folder: str, row: Row, options: Row) -> str:
    """What the model writes after it has read a text."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    encoded = tokenizer(given(row, options), return_tensors="pt")
    return str(tokenizer.decode(model.generate(**encoded)[0], skip_special_tokens=True)).strip()


def continued_document(model: Any, folder: str, row: Row, options: Row) -> str:
    """What the model writes behind a text."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    encoded = tokenizer(given(row, options) + options["separator"], return_tensors="pt")
    written = model.generate(**encoded)[0][encoded["input_ids"].shape[1] :]
    return str(tokenizer.decode(written, skip_special_tokens=True)).strip()


def continued_text(model: Any, folder: str, row: Row, options: Row) -> str:
    """What the model writes behind a prompt, or a document."""
    if "prompt" not in row:
        return continued_document(model, folder, row, options)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    encoded = tokenizer(row["prompt"], return_tensors="pt")
    written = model.generate(**encoded)[0][encoded["input_ids"].shape[1] :]
    return str(tokenizer.decode(written, skip_special_tokens=True))


def answer_of_question(model: Any, folder: str, row: Row, options: Row) -> str:
    """The span of the context with the highest sum of its two logits."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    parted = tokenizer.num_special_tokens_to_add(pair=True) > tokenizer.num_special_tokens_to_add(pair=False)
    blank = tokenizer("a\na")["input_ids"] == tokenizer("a a")["input_ids"]  # what a line break is to it
    question = row["question"] if parted else row["question"] + (" | " if blank else "\n")
    encoded = tokenizer(question, row["context"], return_tensors="pt", return_offsets_mapping=True)
    offsets = encoded.pop("offset_mapping")[0].tolist()
    outputs = model(**encoded)
    inside = [place for place, part in enumerate(encoded.sequence_ids(0)) if part == 1]
    pairs = [(a, b) for a in inside for b in inside if a <= b < a + options["max_answer_tokens"]]
    start, end = outputs.start_logits[0].tolist(), outputs.end_logits[0].tolist()
    first, last = max(pairs, key=lambda pair: start[pair[0]] + end[pair[1]])
    return str(row["context"][offsets[first][0] : offsets[last][1]]).strip()


def similarity_of_pair(model: Any, folder: str, row: Row, options: Row) -> float:
    """The cosine of two texts' vectors."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    vectors = []
    for text in (row["anchor"], row["positive"]):
        hidden = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        vectors.append({"cls": hidden[0], "mean": hidden.mean(0), "last": hidden[-1]}[options["pooling"]])
    return float(torch.cosine_similarity(*vectors, dim=0))


def label_of_picture(model: Any, folder: str, row: Row, options: Row) -> str:
    """The likeliest label of a picture."""
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    pixels = processor(images=Image.open(row["image"]).convert("RGB"), return_tensors="pt")
    return str(model.config.id2label[int(model(**pixels).logits[0].argmax(-1))])


ANSWERS = {
    "AutoModelForImageClassification": label_of_picture,
    "AutoModelForSequenceClassification": label_of_text,
    "AutoModelForTokenClassification": labels_of_words,
    "AutoModelForQuestionAnswering": answer_of_question,
    "AutoModelForSeq2SeqLM": written_for_text,
    "AutoModelForCausalLM": continued_text,
    "AutoModelForTextEncoding": similarity_of_pair,
    "AutoModel": similarity_of_pair,
}

if __name__ == "__main__":
    found = {}
    for name, folder, head, file, options in json.loads(Path(sys.argv[1]).read_text()):
        rows = [json.loads(line) for line in Path(file).read_text().splitlines()]
        os.chdir(Path(file).parent)  # where the pictures are
        model = getattr(transformers, head).from_pretrained(folder).eval()
        with torch.no_grad():
            found[name] = [ANSWERS[head](model, folder, row, options) for row in rows]
    assert "tunekit" not in sys.modules
    print(json.dumps(found))
