"""The pretend telephone network: seeded, pure, and the same whether it stands behind HTTP or in a test."""
