"""Pure functions and small states, samples to posture: no clock, no socket, no file, no asyncio."""
