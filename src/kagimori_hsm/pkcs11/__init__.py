"""The token process: it loads a PKCS#11 library, and serves the keys in one token."""
