"""One timeline of one person: which kinds of entry it has, what is noted of facts, the way ahead, who watches it."""
