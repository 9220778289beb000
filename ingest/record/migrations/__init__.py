"""The steps by which the record's tables came to be what they are; a released step is never changed."""
