"""What an operator may ask and say of bad files."""
