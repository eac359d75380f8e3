"""Credentials of Latchkey itself: passwords, and limits for failed attempts."""
