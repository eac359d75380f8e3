"""The ways in, one file each; each ends in session.sign_in() or session.land_from()."""
