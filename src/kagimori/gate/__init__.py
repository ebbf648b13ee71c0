"""Who asks, and whether they may: from a claim to a caller, and from needs to an `Allowed`."""
