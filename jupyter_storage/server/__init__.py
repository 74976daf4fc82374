"""The server extension: the REST API over the service, one handler module per resource."""
