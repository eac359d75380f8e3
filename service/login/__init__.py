"""The ways in, one file each; each ends in session.sign_in()."""
