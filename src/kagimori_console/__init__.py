"""The web console: pages for people, over the public API of the service."""
