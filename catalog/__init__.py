"""What users ask of a corpus: tables, queries, splits, pictures and the training stream."""
