"""Reads the documents that journey goes by; every complaint has its line and column."""
