"""The words of the console in the languages it speaks."""
