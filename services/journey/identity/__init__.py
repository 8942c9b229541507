"""Who is whom: whose events these are, which customers are one person, and what people decide of it."""
