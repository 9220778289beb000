"""Where results are kept, and how they get from one store into another."""
