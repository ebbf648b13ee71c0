"""Sessions of people who are signed in: kept by the browser, sealed."""
