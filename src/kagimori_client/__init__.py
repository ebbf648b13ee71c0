"""A client of Kagimori: signed calls, and acting for a caller. It imports nothing of ours."""
