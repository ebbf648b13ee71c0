"""HTTP as Kagimori speaks it: bytes from a socket to one whole request, and the answer back."""
