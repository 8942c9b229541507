"""What a customer may see of what was promised to them, by a signed link."""
