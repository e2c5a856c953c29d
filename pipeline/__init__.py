"""What happens to data, from a source to windows, matches and a written corpus."""
