"""Sign-in methods, one file each. Each ends in session.sign_in() or session.respond()."""
