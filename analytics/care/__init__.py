"""Rules of care after an injection: pure functions over the words of `poise.care`; the time is given."""
