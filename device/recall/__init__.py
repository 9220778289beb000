"""Recordings that sensors made by themselves: begun, brought home, and put into the spool exactly once.

A Movella DOT either streams or records. `memory` leads the conversation with it, `staged` keeps on disk what
has come of a recording, `book` knows what was begun and how far each is, `timing` gives samples their times,
`storing` puts them into the spool, and `errand` does all of it for all sensors.
"""
