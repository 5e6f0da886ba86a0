"""Data in many shapes, as people have them, with what should be guessed of each."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import tiny

ROWS = 40
GOOD, BAD = ["good", "great", "fine"], ["bad", "poor", "dull"]


def texts(count: int = ROWS) -> list[str]:
    """Short texts, all different."""
    names = ["Ada", "Bob", "Paris", "Rome"]
    words = [(GOOD if i % 2 else BAD)[i // 2 % 3] for i in range(count)]
    return [f"the film {i} was {word}, and {names[i % 4]} went" for i, word in enumerate(words)]


def moods(count: int = ROWS) -> list[str]:
    """The label of each text."""
    return ["positive" if i % 2 else "negative" for i in range(count)]


def sheet(
    path: Path, header: list[str], *columns: list[Any], sign: str = ",", encoding: str = "utf-8"
) -> Path:
    """A file of separated values, quoted only where that must be."""
    lines = [header, *map(list, zip(*columns, strict=True))]
    text = "\n".join(sign.join(quoted(str(cell), sign) for cell in line) for line in lines)
    path.write_text(text + "\n", encoding=encoding)
    return path


def quoted(cell: str, sign: str) -> str:
    """A cell, in quotes where it holds the separator."""
    return f'"{cell}"' if sign in cell else cell


def comma(folder: Path) -> Path:
    return sheet(folder / "reviews.csv", ["id", "text", "label"], list(range(ROWS)), texts(), moods())


def semicolon(folder: Path) -> Path:
    """As a German spreadsheet writes it: other names, another encoding, and commas in texts."""
    said = [text.replace("the film", "der Film für Jürgen") for text in texts()]
    mood = ["schön" if i % 2 else "müde" for i in range(ROWS)]
    path = folder / "umfrage.csv"
    return sheet(path, ["Kommentar", "Stimmung"], said, mood, sign=";", encoding="cp1252")


def tabs(folder: Path) -> Path:
    return sheet(folder / "tabs.csv", ["sentence", "sentiment"], texts(), moods(), sign="\t")


def tsv(folder: Path) -> Path:
    return sheet(folder / "rows.tsv", ["tweet", "class"], texts(), moods(), sign="\t")


def splits(folder: Path) -> Path:
    """A folder of files that are called as splits are."""
    return tiny.dataset(folder / "split", "text-classification", train=ROWS, others=8)


def ratings(folder: Path) -> Path:
    rows = [{"review": text, "stars": 1 + i % 5} for i, text in enumerate(texts())]
    return tiny.write_jsonl(folder / "ratings.jsonl", rows)


def scores(folder: Path) -> Path:
    """Pairs with a number that has too many values for classes."""
    both = zip(texts(), texts()[::-1], strict=True)
    rows = [{"sentence1": a, "sentence2": b, "score": round(i / 7, 3)} for i, (a, b) in enumerate(both)]
    return tiny.write_jsonl(folder / "scores.jsonl", rows)


def articles(folder: Path) -> Path:
    """SQuAD's nesting, with some questions that have no answer."""
    rows = tiny.questions(ROWS)
    paragraphs = []
    for number, row in enumerate(rows):
        answer = {"text": row["answers"]["text"][0], "answer_start": row["answers"]["answer_start"][0]}
        none = number % 8 == 0
        asked = {"id": row["id"], "question": row["question"], "is_impossible": none}
        paragraphs.append({"context": row["context"], "qas": [asked | {"answers": [] if none else [answer]}]})
    path = folder / "articles.json"
    path.write_text(json.dumps({"version": "2.0", "data": [{"title": "all", "paragraphs": paragraphs}]}))
    return path


def questions(folder: Path) -> Path:
    return tiny.write_jsonl(folder / "questions.jsonl", tiny.questions(ROWS))


def answers(folder: Path) -> Path:
    """Questions whose answers are texts alone."""
    rows = tiny.questions(ROWS)
    cells = [[row[key] for row in rows] for key in ("question", "context")]
    right = [row["answers"]["text"][0] for row in rows]
    return sheet(folder / "answers.csv", ["query", "passage", "answer"], *cells, right)


def conll(folder: Path) -> Path:
    sentences = [zip(row["tokens"], row["ner_tags"], strict=True) for row in tiny.sentences(ROWS)]
    path = folder / "sentences.conll"
    path.write_text("\n\n".join("\n".join(f"{w} X {tag}" for w, tag in each) for each in sentences) + "\n")
    return path


def spans(folder: Path) -> Path:
    """Texts with persons in characters, some with none."""
    rows: list[dict[str, Any]] = []
    for i in range(ROWS):
        before, name = f"the film {i} was fine and ", "Ada" if i % 2 else "Bob"
        span = {"start": len(before), "end": len(before) + 3, "label": "person"}
        rows.append({"text": f"{before}{name if i % 5 else 'dull'}", "entities": [span] if i % 5 else []})
    return tiny.write_jsonl(folder / "spans.jsonl", rows)


def speech_parts(folder: Path) -> Path:
    """Words with labels that mark no entities."""
    kinds = {"Ada": "NAME", "Bob": "NAME", "Paris": "NAME", "Rome": "NAME", "went": "VERB", "was": "VERB"}
    rows = [
        {"words": row["tokens"], "pos": [kinds.get(word, "OTHER") for word in row["tokens"]]}
        for row in tiny.sentences(ROWS)
    ]
    return tiny.write_jsonl(folder / "pos.jsonl", rows)


def pictures(folder: Path) -> Path:
    for row in tiny.pictures(24):
        place = folder / "pictures" / row["label"]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{row['id']}.png").write_bytes(row["image"])
    return folder / "pictures"


def topics(folder: Path) -> Path:
    """Several labels in one cell."""
    cells = [";".join(["film", "plot", "cast"][: 1 + i % 3][i % 2 :]) or "film" for i in range(ROWS)]
    return sheet(folder / "topics.csv", ["comment", "topics"], texts(), cells)


def lists(folder: Path) -> Path:
    rows = [{"text": text, "tags": ["film", "plot"][: i % 3]} for i, text in enumerate(texts())]
    return tiny.write_jsonl(folder / "lists.jsonl", rows)


def export(folder: Path) -> Path:
    """What a spreadsheet leaves: a mark, an index, odd names, columns and a row of nothing."""
    stars, blank = [1 + i % 5 for i in range(ROWS)], [""] * (ROWS + 1)
    header = ["Unnamed: 0", " Review Text ", "Star Rating (1-5)", "", ""]
    cells = [[*range(ROWS), ""], [*texts(), ""], [*stars, ""]]
    return sheet(folder / "export.csv", header, *cells, blank, blank, sign=";", encoding="utf-8-sig")


def pairs(folder: Path) -> Path:
    second = ["yes" if i % 3 else "no" for i in range(ROWS)]
    return sheet(folder / "pairs.csv", ["premise", "hypothesis", "verdict"], texts(), texts()[::-1], second)


def summaries(folder: Path) -> Path:
    """Long texts beside short ones."""
    rows = [
        {"body": " and ".join([text] * 3), "tldr": f"film {i} was {(GOOD + BAD)[i % 6]}"}
        for i, text in enumerate(texts())
    ]
    return tiny.write_jsonl(folder / "news.jsonl", rows)


def languages(folder: Path) -> Path:
    """Translations as data sets of the Hub have them."""
    both = zip(texts(), texts()[::-1], strict=True)
    rows = [{"id": str(i), "translation": {"en": a, "fr": b}} for i, (a, b) in enumerate(both)]
    return tiny.write_jsonl(folder / "pairs.jsonl", rows)


def exchanges(folder: Path) -> Path:
    """What is given and what is asked, in sentences."""
    return sheet(folder / "exchanges.csv", ["input", "output"], texts(), texts()[::-1])


def parquet(folder: Path) -> Path:
    """Labels as numbers with names, as `datasets` writes them."""
    import datasets

    features = {"content": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    rows = {"content": texts(), "label": [i % 2 for i in range(ROWS)]}
    datasets.Dataset.from_dict(rows, features=datasets.Features(features)).to_parquet(folder / "rows.parquet")
    return folder / "rows.parquet"


def searches(folder: Path) -> Path:
    """Questions with a text that answers them, and one that does not."""
    answers = texts()
    rows = [
        {"query": f"who went there {i}", "positive": text, "hard_negative": answers[i - 1]}
        for i, text in enumerate(answers)
    ]
    return tiny.write_jsonl(folder / "rows.jsonl", rows)


TEXT, TOKENS = "text-classification", "token-classification"
NEAR = "sentence-similarity"
ANSWERS, SUMMARIES, IMAGES = "question-answering", "summarization", "image-classification"
TRANSLATIONS, EXCHANGES = "translation", "text2text"
SQUAD = {"question": "question", "context": "context", "answers": "answers", "id": "id"}


@dataclass(frozen=True)
class Shape:
    """Data of one shape, and the recipe that fits."""

    make: Callable[[Path], Path]  # writes them into a folder
    task: str
    columns: dict[str, str]
    options: dict[str, Any] = field(default_factory=dict)  # those that say what is asked
    written: dict[str, Any] = field(default_factory=dict)  # how the files are written
    family: str = "bert"


SHAPES = {
    shape.make.__name__: shape
    for shape in (
        Shape(comma, TEXT, {"text": "text", "label": "label", "id": "id"}),
        Shape(
            semicolon,
            TEXT,
            {"text": "Kommentar", "label": "Stimmung"},
            written={"separator": ";", "encoding": "cp1252"},
        ),
        Shape(tabs, TEXT, {"text": "sentence", "label": "sentiment"}, written={"separator": "\t"}),
        Shape(tsv, TEXT, {"text": "tweet", "label": "class"}),
        Shape(splits, TEXT, {"text": "text", "label": "label", "id": "id"}),
        Shape(ratings, TEXT, {"text": "review", "label": "stars"}),
        Shape(
            scores,
            TEXT,
            {"text": "sentence1", "pair": "sentence2", "value": "score"},
            {"kind": "regression"},
        ),
        Shape(articles, ANSWERS, SQUAD, {"allow_no_answer": True}),
        Shape(questions, ANSWERS, SQUAD),
        Shape(answers, ANSWERS, {"question": "query", "context": "passage", "answers": "answer"}),
        Shape(conll, TOKENS, {"words": "tokens", "tags": "ner_tags"}, {"scheme": "bio"}),
        Shape(spans, TOKENS, {"words": "text", "spans": "entities"}, {"scheme": "bio"}),
        Shape(speech_parts, TOKENS, {"words": "words", "tags": "pos"}, {"scheme": "plain"}),
        Shape(pictures, IMAGES, {"image": "image", "label": "label", "id": "id"}, family="vit"),
        Shape(
            topics,
            TEXT,
            {"text": "comment", "labels": "topics"},
            {"kind": "multi-label", "label_separator": ";"},
        ),
        Shape(lists, TEXT, {"text": "text", "labels": "tags"}, {"kind": "multi-label"}),
        Shape(
            export,
            TEXT,
            {"text": " Review Text ", "label": "Star Rating (1-5)"},
            written={"separator": ";", "bad_rows": "skip"},
        ),
        Shape(pairs, TEXT, {"text": "premise", "pair": "hypothesis", "label": "verdict"}),
        Shape(summaries, SUMMARIES, {"document": "body", "summary": "tldr"}, family="t5"),
        Shape(
            languages,
            TRANSLATIONS,
            {"source": "translation.en", "target": "translation.fr", "id": "id"},
            family="t5",
        ),
        Shape(exchanges, EXCHANGES, {"input": "input", "output": "output"}, family="t5"),
        Shape(searches, NEAR, {"anchor": "query", "positive": "positive", "negative": "hard_negative"}),
        Shape(parquet, TEXT, {"text": "content", "label": "label"}),
    )
}
