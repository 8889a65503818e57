"""Storage of a lake: a file system with atomic renames, or a container of Azure Storage.

What a partition is, and when it may be used, is the lake's matter (`storage.py`). A store
replaces a day's folder as a whole or not at all, in whatever way what it lies on allows.
"""
