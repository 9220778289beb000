"""How sensors sit on the person: alignment with the segments, placement, and how long both hold."""
