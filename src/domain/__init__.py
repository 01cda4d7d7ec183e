"""What the service is about: people, their occasions, and the messages owed to them."""
