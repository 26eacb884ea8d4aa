"""What became of every file of a run, in numbers that add up."""
