"""On real containers, a real systemd, several hosts: slow, and as root."""
