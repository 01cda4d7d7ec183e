"""What the service does, told in use cases that know ports and no technology."""
