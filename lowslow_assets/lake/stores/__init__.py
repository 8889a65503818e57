"""Storage of a lake: a file system with atomic renames, or a container of Azure Storage.

The lake (`lake.py`) decides what a partition is and when it may be used. A store replaces a day's
folder as a whole or not at all, in the way that its storage allows.
"""
