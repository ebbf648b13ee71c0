"""Metering: requests and key-months as they are counted, and what they would have cost. Pure."""
