"""Files in SQuAD's nesting, articles of paragraphs of questions, as one row for each question."""

from collections.abc import Iterator, Sequence
from typing import Any


def is_nested(rows: Sequence[Any]) -> bool:
    """Whether some row of a JSON document is an article with paragraphs."""
    paragraphs = (row.get("paragraphs") for row in rows if isinstance(row, dict))
    inner = (item for items in paragraphs if isinstance(items, list) for item in items)
    return any(isinstance(item, dict) and {"context", "qas"} & item.keys() for item in inner)


def read_articles(articles: Sequence[Any], source: str) -> Iterator[tuple[None, dict[str, Any]] | str]:
    """A row for each question, with its id where it has one; a text is what is wrong with which."""
    questions = list(each_question(articles, source))
    known = any("answers" in row for _, row in (each for each in questions if not isinstance(each, str)))
    for each in questions:
        if isinstance(each, str):
            yield each
            continue
        place, row = each
        missing = [key for key in ("context", "question") if row[key] is None]
        missing += ["answers"] if known and "answers" not in row else []
        if missing:
            yield f"{place} has no {' and no '.join(missing)}; add it"
        elif row.pop("is_impossible", False) and row.get("answers"):
            yield f"{place} is_impossible but has answers; correct one of the two"
        else:
            yield None, row


def each_question(articles: Sequence[Any], source: str) -> Iterator[tuple[str, dict[str, Any]] | str]:
    """Every question with its place and what it has; a text is an article or paragraph without its list."""
    for article_place, article in numbered(articles, f"{source}:", "article"):
        paragraphs = article.get("paragraphs")
        if not isinstance(paragraphs, list):
            yield f"{article_place} has no list of paragraphs; add it"
            continue
        for place, paragraph in numbered(paragraphs, article_place, "paragraph"):
            questions = paragraph.get("qas")
            if not isinstance(questions, list):
                yield f"{place} has no list of qas; add it"
                continue
            for question_place, question in numbered(questions, place, "question"):
                yield question_place, row_of(article, paragraph, question)


def numbered(items: Sequence[Any], place: str, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Objects with their places; anything else counts as an object without keys."""
    for number, item in enumerate(items):
        yield f"{place} {name} {number}", item if isinstance(item, dict) else {}


def row_of(article: dict[str, Any], paragraph: dict[str, Any], question: dict[str, Any]) -> dict[str, Any]:
    """What is known about a question."""
    row: dict[str, Any] = {
        key: question[key] for key in ("id", "answers", "is_impossible") if key in question
    }
    if question.get("is_impossible") is True:
        row.setdefault("answers", [])
    if "title" in article:
        row["title"] = article["title"]
    return row | {"context": paragraph.get("context"), "question": question.get("question")}
