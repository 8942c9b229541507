"""Forgetting a customer, staying forgotten, and everything that is known of one."""
