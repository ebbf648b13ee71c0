"""The services that the console calls, as the person who is signed in."""
