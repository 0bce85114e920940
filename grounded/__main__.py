"""``python -m grounded``."""

from grounded.cli import main

main()
