"""Operators: the people who approve dangerous actions, and the requests that they sign."""
