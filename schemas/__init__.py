"""The words of the project: types, tables, layout and vocabulary; no work is done here."""
