"""What a wearer's neck, trunk and shoulders were exposed to: by quarter of an hour, day and phase."""
