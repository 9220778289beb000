"""When a wearer is reminded, and with which sentence."""
