"""A model that goes to a Hub in one commit, and comes back through transformers."""

from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi

from tests import tiny_models
from tests.hub.drivers import tell

REPO = "ada/bert"

if __name__ == "__main__":
    import torch
    from transformers import AutoModelForMaskedLM, AutoTokenizer, pipeline

    torch.manual_seed(0)
    folder = tiny_models.bert(Path("bert"))
    files = [path for path in folder.rglob("*") if path.is_file()]
    api = HfApi()
    api.create_repo(REPO, private=True)
    additions = [CommitOperationAdd(str(path.relative_to(folder)), path) for path in files]
    commit = api.create_commit(REPO, additions, commit_message="Push")
    model = AutoModelForMaskedLM.from_pretrained(REPO).state_dict()
    local = AutoModelForMaskedLM.from_pretrained(folder).state_dict()
    tokens = AutoTokenizer.from_pretrained(REPO, revision=commit.oid)("the film").input_ids
    api.move_repo(REPO, "ada/renamed")
    filled = pipeline("fill-mask", model=REPO)("the film is [MASK]")
    tell(
        {
            "commit": commit.oid,
            "weights": all(torch.equal(model[name], local[name]) for name in local),
            "tokens": tokens,
            "local tokens": AutoTokenizer.from_pretrained(folder)("the film").input_ids,
            "filled": len(filled),
        }
    )
