"""The ways in, one file each; each ends in session.sign_in() or session.sign_in_from()."""
