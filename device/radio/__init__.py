"""Bluetooth in software: virtual sensors, a room that holds them, and bleak over any HCI transport."""
