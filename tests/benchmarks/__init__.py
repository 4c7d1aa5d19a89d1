"""What metalab costs, against floors that do the same work with nothing but Python."""
