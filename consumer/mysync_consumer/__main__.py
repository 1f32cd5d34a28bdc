"""`python -m mysync_consumer`."""

from mysync_consumer.cli import main

main()
