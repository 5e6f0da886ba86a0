"""Reviews in made-up but varied English, and faults that are planted in them, each of which is known."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

NOUNS = """
film plot cast director camera ending script scene actor music story city mother soldier river
winter garden train letter doctor teacher house window market village island bridge ocean forest
painter sister brother lawyer judge killer ghost robot planet machine dinner wedding funeral summer
school prison castle museum theatre sailor farmer dancer singer engine mirror shadow border desert
valley harbour kitchen
"""
GOOD = """
bright warm clever moving graceful honest funny tender lively sharp brilliant charming delightful
elegant fresh gripping inspired joyful lovely memorable
"""
BAD = """
dull cold stupid tiresome clumsy fake boring cruel sluggish vague dreadful annoying pointless
awkward stale tedious lazy bleak ugly forgettable
"""
PLAIN = """
old young small large red green quiet loud early late northern southern wooden broken hidden empty
crowded distant narrow heavy
"""
VERBS = """
follows meets leaves finds loses watches remembers forgets paints carries opens closes builds breaks
teaches helps answers questions crosses visits hides reveals steals returns draws sings burns washes
guards sells
"""
ADVERBS = """
slowly quickly rarely often always never gently badly simply hardly truly barely loudly calmly
secretly openly partly mostly finally suddenly
"""
SMALL = """
the a of and in while but with after before because this is was it . , !
"""
WORDS = " ".join([SMALL, NOUNS, GOOD, BAD, PLAIN, VERBS, ADVERBS]).split()

Row = dict[str, Any]


def pick(words: str, draw: random.Random) -> str:
    """One of some words."""
    return draw.choice(words.split())


def clause(draw: random.Random) -> str:
    """A few words that say something: `the old sailor slowly follows a hidden letter`."""
    one, other = (f"{pick(PLAIN, draw)} {pick(NOUNS, draw)}" for _ in range(2))
    return f"the {one} {pick(ADVERBS, draw)} {pick(VERBS, draw)} a {other}"


def review(number: int, label: str) -> str:
    """A review of one to three clauses that says what its label says."""
    draw = random.Random(f"review {number}")
    opinion = f"this {pick(NOUNS, draw)} is {pick(GOOD if label == 'positive' else BAD, draw)}"
    clauses = [clause(draw) for _ in range(draw.randint(1, 3))]
    joined = clauses[0] + "".join(
        f" {draw.choice(['while', 'but', 'after', 'because'])} {c}" for c in clauses[1:]
    )
    return f"{opinion} , {joined} ."


def reviews(count: int, *, start: int = 0, letter: str = "r") -> list[Row]:
    """Different reviews with ids."""
    labels = ("positive", "negative")
    return [
        {"id": f"{letter}{n}", "text": review(n, labels[n % 2]), "label": labels[n % 2], "source": "press"}
        for n in range(start, start + count)
    ]


def splits(train: int = 400, others: int = 100) -> dict[str, list[Row]]:
    """Rows of three splits that have nothing in common."""
    return {
        "train": reviews(train, letter="a"),
        "validation": reviews(others, start=train, letter="b"),
        "test": reviews(others, start=train + others, letter="c"),
    }


def copy(row: Mapping[str, Any], name: str, **changed: Any) -> Row:
    """A copy of a row under another id."""
    return {**row, "id": name, **changed}


def disguised(text: str) -> str:
    """The same words with other capitals and blanks."""
    return "  ".join(word.capitalize() for word in text.split()) + " "


def edited(text: str, number: int, words: int = 2) -> str:
    """A text with a few of its words replaced."""
    draw = random.Random(f"edit {number}")
    found = text.split()
    for place in draw.sample(range(len(found)), words):
        found[place] = draw.choice(WORDS[len(SMALL.split()) :])
    return " ".join(found)


def planted() -> tuple[dict[str, list[Row]], dict[str, set[str]]]:
    """Three splits with faults, and the faults by kind, as `check` should name them."""
    rows, known = splits(), {}
    train, validation, test = rows["train"], rows["validation"], rows["test"]
    known["leak"] = set(plant(test, train[:20], "leak", "test", "="))
    known["leak of validation"] = set(plant(validation, train[20:30], "vleak", "validation", "="))
    known["near leak"] = set(plant(test, train[30:60], "near", "test", "~"))
    known["duplicates"] = set(plant(train, train[60:80], "twice", "train", "="))
    known["near duplicates"] = set(plant(train, train[80:110], "almost", "train", "~"))
    other = {"positive": "negative", "negative": "positive"}
    known["conflicting labels"] = set()
    for row in train[110:120]:
        train.append(copy(row, f"against-{row['id']}", label=other[row["label"]]))
        known["conflicting labels"].add(
            f"train {row['id']} ({row['label']}) / train against-{row['id']} ({other[row['label']]})"
        )
    return rows, known


def plant(rows: list[Row], originals: list[Row], kind: str, split: str, sign: str) -> Iterator[str]:
    """Add copies of train's rows, the same (=) or edited (~), and tell how each pair is named."""
    for number, row in enumerate(originals):
        text = disguised(row["text"]) if sign == "=" else edited(row["text"], number)
        rows.append(copy(row, f"{kind}-{row['id']}", text=text))
        yield f"{split} {kind}-{row['id']} {sign} train {row['id']}"
