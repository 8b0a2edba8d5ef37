"""A registry's files over http, for the machine they lie on: to try out what a web server will do with them."""
