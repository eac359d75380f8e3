"""What only a browser shows, in a real Chromium."""
