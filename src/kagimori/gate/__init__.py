"""Authentication and authorization: from a signature to a caller, from needs to an `Allowed`."""
