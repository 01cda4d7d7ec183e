"""The ports on dictionaries: for tests, demonstrations and a first look."""
