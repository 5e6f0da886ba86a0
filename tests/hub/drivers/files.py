"""The files that are written to a repository."""

CARD = b"---\nlicense: mit\ntags:\n- tunekit\n---\n\n# First\n"
SMALL = bytes(range(256)) * 40  # in one piece where parts begin at 64 KiB
LARGE = bytes(range(256)) * 1000
FILES = {
    "README.md": CARD,
    "config.json": b"{}",
    "empty.txt": b"",
    "deep/er/words.txt": b"a b c",
    "small.safetensors": SMALL,
    "model.safetensors": LARGE,
}
