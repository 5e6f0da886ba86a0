"""Code that asks a finished model with transformers alone, as model cards show it.

Each text is a whole script. `$model` stands for a Hub id or a folder, other names for what a task fills in.
"""

import json
from string import Template
from typing import Any


def code(script: str, model: str, **parts: object) -> str:
    """A script for a model with its parts, which are Python as it should stand there."""
    return Template(script).substitute(parts, model=literal(model))


def literal(value: Any) -> str:
    """Texts and numbers, also in lists and by name, as Python writes them: on one line."""
    return json.dumps(value, ensure_ascii=False)


def adapter_code(task: Any, repo: str, base: str, commit: str | None) -> str:
    """A script that loads an adapter onto its base model, with peft and transformers alone."""
    labels = list(task.labels)
    more = [f"    revision={literal(commit)},\n"] if commit else []
    if labels:  # the head of the base may be for others; the adapter brings its own
        more += ["    id2label=dict(enumerate(labels)),\n", "    ignore_mismatched_sizes=True,\n"]
    more += ["    pad_token_id=processor.pad_token_id,\n"] if task.auto_processor == "AutoTokenizer" else []
    names = f"labels = {literal(labels)}\n" if labels else ""
    parts = {"head": task.head, "processor": task.auto_processor, "base": literal(base)}
    return code(ADAPTER, repo, names=names, more="".join(more), **parts)


ADAPTER = """\
from peft import PeftModel
from transformers import $head, $processor

model = $model
${names}processor = $processor.from_pretrained(model)
base = $head.from_pretrained(
    $base,
${more})
network = PeftModel.from_pretrained(base, model).eval()
"""

LOAD = """\
from transformers import $head, $processor

model = $model
processor = $processor.from_pretrained(model)
network = $head.from_pretrained(model)
"""

LABEL = """\
from transformers import pipeline

model = $model
classify = pipeline("text-classification", model)
print(classify($given, truncation=True, max_length=$max_length))
"""

LABELS = """\
import json
from pathlib import Path

from transformers import pipeline
from transformers.utils import cached_file

model = $model
facts = json.loads(Path(cached_file(model, "tunekit.json")).read_text(encoding="utf-8"))
thresholds = facts["decision"].get("thresholds", {})
classify = pipeline("text-classification", model)
found = classify($given, top_k=None, truncation=True, max_length=$max_length)
print([each["label"] for each in found if each["score"] >= thresholds.get(each["label"], 0.5)])
"""

ENTITIES = """\
from transformers import pipeline

model = $model
find = pipeline("token-classification", model, aggregation_strategy="first")
print(find("Ada Lovelace lived in London."))
"""

TAGS = """\
import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer

model = $model
tokenizer = AutoTokenizer.from_pretrained(model)
tagger = AutoModelForTokenClassification.from_pretrained(model)
words = ["Ada", "Lovelace", "lived", "in", "London"]
cut = {"truncation": True, "max_length": $max_length}
encoded = tokenizer(words, is_split_into_words=True, return_tensors="pt", **cut)
with torch.inference_mode():
    best = tagger(**encoded).logits[0].argmax(-1).tolist()
tags = {}
for token, word in enumerate(encoded.word_ids(0)):
    if word is not None:  # the first token of a word has its tag
        tags.setdefault(words[word], tagger.config.id2label[best[token]])
print(tags)
"""

SPAN = """\
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

model = $model
tokenizer = AutoTokenizer.from_pretrained(model)
reader = AutoModelForQuestionAnswering.from_pretrained(model)
question = $question
context = "Ada went to Paris and Bob to Rome."
cut = {"truncation": "only_second", "max_length": $max_length}
encoded = tokenizer(question, context, return_tensors="pt", return_offsets_mapping=True, **cut)
offsets = encoded.pop("offset_mapping")[0].tolist()
with torch.inference_mode():
    outputs = reader(**encoded)
start, end = outputs.start_logits[0].tolist(), outputs.end_logits[0].tolist()
inside = [token for token, part in enumerate(encoded.sequence_ids(0)) if part == 1]
spans = [(a, b) for a in inside for b in inside if a <= b < a + $max_answer_tokens]
first, last = max(spans, key=lambda span: start[span[0]] + end[span[1]])
answer = context[offsets[first][0] : offsets[last][1]].strip()
"""

SURE = "print(answer)\n"

UNSURE = """\
ids = encoded["input_ids"][0].tolist()
null = ids.index(tokenizer.cls_token_id) if tokenizer.cls_token_id in ids else 0
nothing = start[null] + end[null] - start[first] - end[last]
print("" if nothing > $threshold else answer)
"""

WRITTEN = """\
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

model = $model
tokenizer = AutoTokenizer.from_pretrained(model)
writer = AutoModelForSeq2SeqLM.from_pretrained(model)
encoded = tokenizer($text, truncation=True, max_length=$max_length, return_tensors="pt")
written = writer.generate(**encoded)
print(tokenizer.decode(written[0], skip_special_tokens=True).strip())
"""

CONTINUATION = """\
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

model = $model
tokenizer = AutoTokenizer.from_pretrained(model)
writer = AutoModelForCausalLM.from_pretrained(model)
tokens = tokenizer($text, truncation=True, max_length=$max_length)["input_ids"]
tokens += tokenizer($separator, add_special_tokens=False)["input_ids"]
read = torch.tensor([tokens])
written = writer.generate(input_ids=read, attention_mask=torch.ones_like(read))
print(tokenizer.decode(written[0][len(tokens) :], skip_special_tokens=True).strip())
"""

PICTURE = """\
from PIL import Image
from transformers import pipeline

model = $model
classify = pipeline("image-classification", model)
picture = Image.new("RGB", (64, 64))  # or Image.open("picture.jpg")
print(classify(picture))
"""

TEXT = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

model = $model
tokenizer = AutoTokenizer.from_pretrained(model)
writer = AutoModelForCausalLM.from_pretrained(model)
read = tokenizer($given, return_tensors="pt")
written = writer.generate(input_ids=read["input_ids"], attention_mask=read["attention_mask"])
print(tokenizer.decode(written[0][read["input_ids"].shape[1] :], skip_special_tokens=True))
"""

CHAT = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

model = $model
tokenizer = AutoTokenizer.from_pretrained(model)
writer = AutoModelForCausalLM.from_pretrained(model)
messages = [{"role": "user", "content": "Who wrote Hamlet?"}]
tokens = {"add_generation_prompt": True, "return_dict": True, "return_tensors": "pt"}
read = tokenizer.apply_chat_template(messages, **tokens)
written = writer.generate(input_ids=read["input_ids"], attention_mask=read["attention_mask"])
print(tokenizer.decode(written[0][read["input_ids"].shape[1] :], skip_special_tokens=True))
"""
SIMILARITY = """\
import torch
from transformers import $head, AutoTokenizer

model = $model
tokenizer = AutoTokenizer.from_pretrained(model)
network = $head.from_pretrained(model).eval()
texts = $texts
cut = {"truncation": True, "max_length": $max_length}
encoded = tokenizer(texts, padding=True, padding_side="right", return_tensors="pt", **cut)
with torch.inference_mode():
    hidden = network(**encoded).last_hidden_state  # (texts, tokens, hidden)
mask = encoded["attention_mask"]
vectors = $pooling
vectors = torch.nn.functional.normalize(vectors, dim=-1)
print(float(vectors[0] @ vectors[1]))
# the same: SentenceTransformer(model).encode(texts, normalize_embeddings=True) of sentence-transformers
"""

POOLING = {
    "cls": "hidden[:, 0]",
    "mean": "(hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)",
    "last": "hidden[torch.arange(len(texts)), mask.sum(1) - 1]",
}
