"""What users ask of a corpus: tables, queries, splits, pictures and the training stream."""

from neuropair.catalog.corpus import Corpus
from neuropair.catalog.pairs import Pairs

__all__ = ["Corpus", "Pairs"]
