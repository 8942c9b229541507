"""What a backtest came to, for people: a table in the terminal, what other promises would change, and a page to hand on."""
