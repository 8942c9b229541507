"""Feeds: what companies have already, read as touchpoints. Decides; the reading and the sending are others'."""
