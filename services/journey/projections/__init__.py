"""What is kept of all customers: read from journal and facts, behind a pointer."""
