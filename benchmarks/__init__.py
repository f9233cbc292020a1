"""What our figures are, beside those of others and of code without features: ``make bench``."""
