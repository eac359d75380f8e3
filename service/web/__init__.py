"""What handlers share: context, access rules, templates, cookies, responses."""
