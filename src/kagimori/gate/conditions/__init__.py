"""What condition keys mean, for requests and for records of them."""
