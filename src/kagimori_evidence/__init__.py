"""Evidence for auditors: controls, and the live facts of a deployment that belong to them.

It imports nothing else of ours and sends nothing: the command and the console ask the API for it.
"""
