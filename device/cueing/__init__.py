"""Cues at the wearer, without any network: judging the freshest samples, and signals to feel and to see."""
