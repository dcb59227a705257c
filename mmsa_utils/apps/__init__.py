"""What a person starts: the command line, the dashboard, the doctor."""
