"""Indicators: what is counted of commitments, contacts and teams, and how it is read as series. Pure."""
