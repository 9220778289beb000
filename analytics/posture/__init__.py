"""Inclinations to postures, and postures to episodes."""
