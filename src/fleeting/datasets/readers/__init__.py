"""One file per data set: its annotations come in, rows of the manifest go out.

Each file says in its first lines what the set is and where its columns are. `datasets.registry` knows them by
name. Start with `casme2`, the shortest.
"""
