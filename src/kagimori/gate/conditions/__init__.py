"""The values of condition keys, for requests and for recorded requests."""
