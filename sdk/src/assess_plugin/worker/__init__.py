"""What runs inside a plugin's process: bootstrap, plugins, remote host, serve. Never started by hand."""
