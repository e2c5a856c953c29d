"""What orders the work: the Prefect flows and the command line."""
