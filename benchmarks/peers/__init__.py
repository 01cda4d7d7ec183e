"""Small applications that do what ours does as others would write them, with the best settings of each."""
