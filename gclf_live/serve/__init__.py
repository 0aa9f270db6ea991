"""The web page and the HTTP API: decoding in child processes, one network for all of them."""
