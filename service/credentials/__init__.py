"""Credentials of Latchkey itself: passwords, links that set them, limits of failed attempts."""
