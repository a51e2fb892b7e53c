"""The words people declare things in, tested as tables and properties."""
