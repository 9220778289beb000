"""The raw archive: whole hours of a wearer's messages in Parquet files, bit for bit."""
