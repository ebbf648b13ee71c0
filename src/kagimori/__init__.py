"""Kagimori: the AWS KMS API as software one runs oneself. Start reading at `path.py`."""
