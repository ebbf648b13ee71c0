"""The HTTP server: from bytes on a socket to whole requests, and answers back."""
