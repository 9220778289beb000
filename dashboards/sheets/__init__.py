"""Sheets for patients: the same words on screen, in print and as PDF, in large type."""
