"""Waiting messages into one transaction: what is new, what is concluded from it, and what is told of it."""
