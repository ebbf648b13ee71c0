"""Where truth lives: one port, several implementations."""
