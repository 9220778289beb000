"""A calibration where the wearer is: made, held against the day, re-checked, made anew."""
