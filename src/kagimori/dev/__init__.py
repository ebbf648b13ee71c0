"""The parts of `kagimori dev` that `kagimori serve` must not have: nothing here is safe."""
