"""`python -m tunekit` is the same as `tunekit`."""

from tunekit.cli import main

main()
