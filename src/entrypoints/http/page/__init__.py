"""The operator's page: plain documents from the server, that work without a script."""
