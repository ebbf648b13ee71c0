"""The processes of `kagimori serve`, and how their parts are put together."""
