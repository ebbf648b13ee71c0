"""Nodes of a deployment: who they are, whether they live, and which one does what time asks for."""
