"""Days of data, years if need be: slices of a device and a day, beside the hourly run and never in its way."""
