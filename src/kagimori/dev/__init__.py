"""What `kagimori dev` has and `kagimori serve` must not: nothing here is safe."""
