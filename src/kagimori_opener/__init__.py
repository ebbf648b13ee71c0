"""The opener: reaches PKCS#11 tokens and other KMSs for the HSM, which opens no files."""
