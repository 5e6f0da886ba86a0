"""The facts of an example: which variables a template has, and what is in them."""

from typing import Any

EXAMPLE: dict[str, Any] = {
    "title": "bert-base-cased, fine-tuned for text-classification",
    "about": "Say of each text which of the training's labels it has.",  # of the task; or None
    "task": "text-classification",
    "pipeline_tag": "text-classification",  # what the Hub calls the task; or None
    "repo": "user/name",
    "labels": ["negative", "positive"],  # the first hundred; empty for a task without labels
    "more_labels": 0,
    "keys": ["text"],  # that each row to be predicted has
    "code": 'model = "user/name"\n',  # Python that asks the model with transformers alone
    "base": {
        "name": "google-bert/bert-base-cased",
        "url": "https://huggingface.co/google-bert/bert-base-cased",  # None for a folder, as the commit
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "sha256": "0123456789ab",  # the beginning of its weights'
        "license": "apache-2.0",  # a text or a list of them, as the base model's card says it; or None
        "license_name": None,
        "license_link": None,
        "language": "en",  # a text or a list of them; or None
    },
    "adapter": False,  # whether this is an adapter alone, which its base model is needed for
    "data": {
        "name": "reviews.csv",
        "from_hub": False,
        "url": None,
        "config": None,
        "revision": None,
        "columns": {"text": "review", "label": "label"},  # role: column
        "skipped": 0,  # rows that could not be used
        "splits": [{"name": "train", "source": "train", "rows": 900, "sha256": "0123456789ab"}],
    },
    "scores": [  # low and high are None where a metric has no interval
        {
            "split": "test",
            "metric": "accuracy",
            "value": 0.9,
            "low": 0.85,
            "high": 0.94,
            "n": 100,
            "baseline": False,
        }
    ],
    "label_scores": {  # None where nothing is counted by label
        "split": "test",
        "rows": [{"label": "positive", "precision": 0.9, "recall": 0.9, "f1": 0.9, "n": 50}],
        "more": 0,  # labels that are not listed
    },
    "training": {
        "steps": 90,
        "seconds": 123.4,
        "hardware": "AMD EPYC 9654",
        "device": "cpu",
        "processes": 1,
        "precision": "fp32",
        "seed": 0,
        "versions": {"python": "3.11.9", "torch": "2.13.0"},
        "best": {"metric": "accuracy", "value": 0.9, "step": 60},  # None without validation rows
    },
    "limits": ["It reads at most 512 tokens of an example; what comes after them is cut off."],
    "recipe": "task:\n  name: text-classification\n",  # YAML
}

BARE: dict[str, Any] = EXAMPLE | {  # of which as little is known as can be
    "about": None,
    "pipeline_tag": None,
    "labels": [],
    "base": {**dict.fromkeys(EXAMPLE["base"]), "name": "bert"},
    "scores": [EXAMPLE["scores"][0] | dict.fromkeys(("value", "low", "high"))],
    "label_scores": None,
    "training": EXAMPLE["training"] | {"best": None},
}
