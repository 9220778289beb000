"""One person taken out of everything that was measured, for good, and collecting that stops with consent."""
